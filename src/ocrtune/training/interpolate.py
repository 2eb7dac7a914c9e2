"""Between the base model and the tuned one: weights (1 - a) * base + a * tuned; the best on validation is kept.

Source: Wortsman et al., Robust fine-tuning of zero-shot models (WiSE-FT), CVPR 2022, arXiv 2109.01903: such weights
often keep what the base model reads and the tuning images do not show. All floating tensors are interpolated, the
statistics of BatchNorm included; whole numbers are the tuned ones.

The rule: of the shares that ``Global.interpolate`` gives, the one with the highest main indicator on the validation set
wins, of equal ones the smallest. It becomes ``best.safetensors``, also where it scores less than the tuned weights: the
validation set shows the user's images alone, and the share is asked for to keep the others. It never scores less than
the base model: then ``best.safetensors`` stays what it was. To let the tuned weights compete, give 1 as a share, as our
recipes for recognition do.

The tuned weights are the best ones. Where no evaluation beat the base model they are the last ones: weights between two
models often read more than either.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ocrtune.core.charset import Charset
from ocrtune.core.errors import ConfigError, Problem
from ocrtune.training.checkpoint import BEST, LATEST, Progress, Score, save_weights, score_metadata, write_file
from ocrtune.weights.native import read_native, write_native

BASE, TUNED = "base.safetensors", "tuned.safetensors"
_SHARE = "interpolate"  # metadata of best.safetensors: its share of the tuned weights

Tensors = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Interpolated:
    """share: of the tuned weights, 0..1. score: on the validation set, with step and epoch of the tuned weights.

    kept: whether it is ``best.safetensors`` now; the tuned weights, whose score is ``tuned``, are then in
    ``tuned.safetensors``.
    """

    share: float
    score: Score
    kept: bool
    tuned: Score


def keep_base(folder: Path, model: nn.Module, charset: Charset | None, came_from: Path | None) -> None:
    """Have ``base.safetensors`` in ``folder``: ``model`` as it is, or for a run that goes on, that of ``came_from``.

    Raises ConfigError when the run in ``came_from`` has none.
    """
    if came_from is None:
        save_weights(folder / BASE, model, charset, None)
    elif not (came_from / BASE).is_file():
        what = f"{came_from} has no {BASE}: its run was started without it"
        raise ConfigError(Problem("Global.interpolate", what, "start the run anew, or go on without it"))
    elif folder.resolve() != came_from.resolve():
        write_file(folder / BASE, (came_from / BASE).read_bytes())


def interpolate_best(
    folder: Path,
    shares: tuple[float, ...],
    model: nn.Module,
    measure: Callable[[], dict[str, float]],
    main_indicator: str,
    progress: Progress,
    say: Callable[[str], None],
    *,
    write: bool = True,
) -> Interpolated | None:
    """Try every share as the module's docstring says; the one that won, None where that is 1 or nothing was learnt.

    model: in the form of the run; left with the weights of the last share. measure: evaluates it as it is. write: False
    in all but one of several processes.
    """
    before, best, last = progress.before, progress.best, progress.history[-1] if progress.history else None
    if before is None or best is None or last is None or last.step == 0:
        say("nothing to interpolate: no weights but those of the base model were evaluated")
        return None
    in_vain = best.step == 0
    base, base_metadata = read_native(folder / BASE)
    tuned, metadata = read_native(folder / LATEST if in_vain else _tuned_file(folder))
    tried: list[tuple[float, dict[str, float]]] = []
    for share in sorted(shares):
        _fill(model, between(base, tuned, share))
        metrics = measure()
        tried.append((share, metrics))
        say(f"{1 - share:g} x base + {share:g} x tuned: {main_indicator} {metrics[main_indicator]:.4f}")
    share, metrics = max(tried, key=lambda one: one[1][main_indicator])
    if share == 1 and not in_vain:
        if write:
            write_native(folder / BEST, tuned, metadata)  # an earlier interpolation may be there
        say(f"{BEST} stays the tuned weights: between base and tuned the model reads less")
        return None
    kept = metrics[main_indicator] >= before.metrics[main_indicator]
    if kept and write:
        own = {**metadata, _SHARE: f"{share:g}", "metrics": json.dumps(metrics)}
        write_native(folder / TUNED, tuned, metadata)
        write_native(folder / BEST, between(base, tuned, share), own)
        say(f"{BEST}: {share:g} of the way from base to tuned; the tuned weights are in {folder / TUNED}")
    elif not kept:
        stays = (base, {**base_metadata, **score_metadata(before)}) if in_vain else (tuned, metadata)
        if write:
            write_native(folder / BEST, *stays)  # likewise
        whose = "base" if in_vain else "tuned"
        say(f"{BEST} stays the {whose} weights: between base and tuned the model reads less than the base")
    target = last if in_vain else best
    return Interpolated(share, Score(metrics, target.step, target.epoch), kept, target)


def between(base: Tensors, tuned: Tensors, share: float) -> dict[str, NDArray[Any]]:
    """(1 - share) * base + share * tuned for floating tensors, by name; others are the tuned ones.

    Written as base + share * (tuned - base), so that frozen weights stay as they are to the bit.
    """
    result = {}
    for name, value in tuned.items():
        if share < 1 and np.issubdtype(value.dtype, np.floating):
            value = base[name] + np.asarray(share, value.dtype) * (value - base[name])
        result[name] = value
    return result


def _tuned_file(folder: Path) -> Path:
    """The tuned weights: in a run that was interpolated before and went on, best may still be the interpolated ones."""
    return folder / (TUNED if _SHARE in read_native(folder / BEST)[1] else BEST)


def _fill(model: nn.Module, tensors: Tensors) -> None:
    model.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in tensors.items()})
