"""The files of a run folder that hold weights, and how a model is rebuilt from the folder alone.

``best.safetensors``, ``latest.safetensors``  the weights that were evaluated, with form, dictionary and metrics inside;
``latest.state.pt``  everything needed to go on: raw weights, optimiser, average, progress, random numbers;
``config.yml``, ``dictionary.txt``  what the weights belong to.
Every file appears whole or not at all. The state is read with ``weights_only=True``: it cannot run code.
"""

from __future__ import annotations

import io
import json
import pickle
import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ocrtune import __version__
from ocrtune.core.charset import Charset
from ocrtune.core.errors import Problem, TrainingError, WeightsError
from ocrtune.core.files import write_whole
from ocrtune.models.forms import form_text, set_form_
from ocrtune.weights.native import charset_metadata, read_native, write_native

BEST, LATEST = "best.safetensors", "latest.safetensors"
STATE, CONFIG, DICTIONARY = "latest.state.pt", "config.yml", "dictionary.txt"


@dataclass(frozen=True)
class Score:
    """One evaluation: all metrics, after how many steps and (possibly begun) epochs; step 0 is the base model."""

    metrics: Mapping[str, float]
    step: int
    epoch: int

    def beats(self, other: Score, main_indicator: str) -> bool:
        """Whether the main indicator is higher, or equal with fewer wrong characters; else the earlier one stays."""
        mine, theirs = ((score.metrics[main_indicator], -score.metrics.get("cer", 0.0)) for score in (self, other))
        return mine > theirs


@dataclass
class Progress:
    """Where a run stands. step: optimiser steps done. epoch: epochs completed. best: by the main indicator."""

    step: int = 0
    epoch: int = 0
    before: Score | None = None
    best: Score | None = None
    history: list[Score] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and texts."""
        return asdict(self)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Progress:
        """The inverse of :meth:`to_dict`."""
        before, best = (Score(**raw[name]) if raw[name] else None for name in ("before", "best"))
        return cls(raw["step"], raw["epoch"], before, best, [Score(**score) for score in raw["history"]])


def save_weights(path: Path, model: nn.Module, charset: Charset | None, score: Score | None) -> None:
    """Write the weights of ``model`` as they are now. WeightsError when they cannot be written."""
    tensors = {name: value.detach().cpu().numpy() for name, value in model.state_dict().items()}
    metadata = {"form": form_text(model), "ocrtune_version": __version__}
    if charset is not None:
        metadata |= charset_metadata(charset)
    if score is not None:
        metadata |= {"step": str(score.step), "epoch": str(score.epoch), "metrics": json.dumps(dict(score.metrics))}
    write_native(path, tensors, metadata)


def load_checkpoint_weights(model: nn.Module, path: Path) -> Score | None:
    """Give a freshly built ``model`` the form and the weights of a run's file; the score that was stored with them.

    WeightsError when the file belongs to another model or was not written by a run.
    """
    tensors, metadata = read_native(path)
    if "form" not in metadata:
        raise WeightsError(Problem(str(path), "not a checkpoint of ocrtune", "load it as Global.pretrained_model"))
    if not set_form_(model, metadata["form"]):
        what = f"belongs to another model: it is in the form {metadata['form']}"
        raise WeightsError(Problem(str(path), what, "use the config.yml beside it"))
    own = model.state_dict()
    wrong = [name for name, value in own.items() if name not in tensors or tensors[name].shape != tuple(value.shape)]
    wrong += [name for name in tensors if name not in own]
    if wrong:
        what = f"belongs to another model: {len(wrong)} tensors differ, such as {', '.join(wrong[:3])}"
        raise WeightsError(Problem(str(path), what, "use the config.yml beside it"))
    model.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in tensors.items()})
    if "metrics" not in metadata:
        return None
    return Score(json.loads(metadata["metrics"]), int(metadata["step"]), int(metadata["epoch"]))


def save_state(folder: Path, state: Mapping[str, Any]) -> None:
    """Write ``latest.state.pt``: tensors, numbers, texts and containers of them; the random numbers are added."""
    buffer = io.BytesIO()
    torch.save({**state, "random": random_state()}, buffer)
    write_file(folder / STATE, buffer.getvalue())


def load_state(folder: Path, rank: int = 0) -> dict[str, Any]:
    """Read ``latest.state.pt`` and set the random numbers to those of process ``rank``, if the run had so many.

    WeightsError when it is missing, damaged or unsafe.
    """
    path = folder / STATE
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise WeightsError(Problem(str(path), f"cannot read it ({error.strerror})", "give a run folder")) from error
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise WeightsError(Problem(str(path), "not a complete checkpoint of ocrtune")) from error
    states = [state.pop("random"), *state.pop("random_of_others", ())]
    if rank < len(states):
        set_random_state(states[rank])
    return state


def random_state() -> dict[str, Any]:
    """The state of PyTorch's, NumPy's and Python's global generators, in types that load without pickled code."""
    kind, keys, *rest = cast("tuple[str, NDArray[np.uint32], int, int, float]", np.random.get_state())
    numpy_state = [kind, torch.from_numpy(keys.astype(np.int64)), *rest]
    state: dict[str, Any] = {"torch": torch.get_rng_state(), "numpy": numpy_state, "python": random.getstate()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state_all()
    return state


def set_random_state(state: Mapping[str, Any]) -> None:
    """The inverse of :func:`random_state`."""
    kind, keys, position, has_gauss, gauss = state["numpy"]
    assert isinstance(keys, Tensor)
    np.random.set_state((kind, keys.numpy().astype(np.uint32), position, has_gauss, gauss))
    version, internal, gauss_next = state["python"]
    random.setstate((version, tuple(internal), gauss_next))
    torch.set_rng_state(state["torch"])
    if torch.cuda.is_available() and "cuda" in state:
        torch.cuda.set_rng_state_all(state["cuda"])


def write_file(path: Path, content: bytes) -> None:
    """Write ``content`` so that the file is either the old one or the whole new one, even if the power fails."""
    try:
        write_whole(path, content)
    except OSError as error:
        raise TrainingError(Problem(str(path), f"cannot write it ({error.strerror})")) from error
