"""A run's weights for other programs: ``.pdparams`` that PaddleOCR loads and trains on, safetensors, or ONNX."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from torch import nn

from ocrtune import __version__
from ocrtune.core.errors import ConfigError, DataError, ExportError, Problem
from ocrtune.data.labels import LabelSet
from ocrtune.data.loader import build_loader
from ocrtune.export.run import export_run, spread
from ocrtune.models.build import build_model
from ocrtune.models.distillation import DistillationModel
from ocrtune.models.fold import form_of
from ocrtune.models.forms import form_text, parts_of
from ocrtune.models.statistics import set_statistics_
from ocrtune.training.checkpoint import BEST, LATEST
from ocrtune.training.data import evaluation_labels
from ocrtune.training.run_folder import LoadedRun, dictionary_text, load_run
from ocrtune.weights.native import charset_metadata, write_native
from ocrtune.weights.pdparams import write_pdparams
from ocrtune.weights.to_paddle import paddle_state
from ocrtune.weights.unfold import check_same, unfolded

Format = Literal["pdparams", "safetensors", "onnx"]
_HEIGHTS = {"det": 64, "rec": 48}
_IMAGES = {"det": 16, "rec": 256}  # that BatchNorm's statistics are measured on
_SHORT_HEIGHT = 32  # of recognisers that do not take 48


@dataclass(frozen=True)
class Converted:
    """What :func:`convert_run` wrote. notes: what a user should know."""

    files: tuple[Path, ...]
    tensors: int
    notes: tuple[str, ...]


def convert_run(run: Path, to: Format, output: Path, checkpoint: Literal["best", "latest"] = "best") -> Converted:
    """Write the weights of the run folder ``run`` to the file ``output`` (``onnx``: into the folder ``output``).

    pdparams: PaddleOCR's names, no key missing or too many; for a recogniser the dictionary lies beside it. A run that
    fine-tuned folded weights is written as the network that trains, with the same eval function and, where the run's
    validation images are still there, BatchNorms with the statistics of these.
    Raises WeightsError or ExportError.
    """
    if to == "onnx":
        report = export_run(run, output, checkpoint=BEST if checkpoint == "best" else LATEST)
        return Converted((report.model,), 0, report.notes)
    if output.suffix != f".{to}":
        raise ExportError(Problem(str(output), f"does not end in .{to}", f"name the file: -o {output}.{to}"))
    loaded = load_run(run, checkpoint)
    output.parent.mkdir(parents=True, exist_ok=True)
    return _write_pdparams(loaded, output) if to == "pdparams" else _write_safetensors(loaded, output)


def _write_safetensors(loaded: LoadedRun, output: Path) -> Converted:
    tensors = {name: value.detach().cpu().numpy() for name, value in loaded.model.state_dict().items()}
    metadata = {"form": form_text(loaded.model), "ocrtune_version": __version__}
    if loaded.charset is not None:
        metadata |= charset_metadata(loaded.charset)
    write_native(output, tensors, metadata)
    return Converted((output,), len(tensors), ())


def _write_pdparams(loaded: LoadedRun, output: Path) -> Converted:
    model, notes = _training_form(loaded)
    state = paddle_state(model)
    write_pdparams(output, state)
    files = [output]
    if loaded.charset is not None:
        files.append(output.with_suffix(".dictionary.txt"))
        files[-1].write_text(dictionary_text(loaded.charset), encoding="utf-8")
        space = str(loaded.charset.use_space_char).lower()
        notes.append(f"in PaddleOCR: Global.character_dict_path={files[-1]} Global.use_space_char={space}")
    return Converted(tuple(files), len(state), tuple(notes))


def _training_form(loaded: LoadedRun) -> tuple[nn.Module, list[str]]:
    """The run's network as PaddleOCR builds it, and what was done to get there."""
    model = loaded.model
    if all(form_of(part) == "training" for part in parts_of(model)):
        return model, []
    fresh = build_model(loaded.config.architecture, loaded.charset)
    if isinstance(model, DistillationModel) and isinstance(fresh, DistillationModel):
        pairs = [(old, new) for (_, old), (_, new) in zip(model.networks(), fresh.networks())]
    else:
        pairs = [(model, fresh)]
    made = []
    for old, new in pairs:
        if form_of(old) == "training":
            new.load_state_dict(old.state_dict())
        else:
            made.append(unfolded(old, new))
            _check(old, new, loaded.config.architecture.model_type)
    return fresh, [_with_statistics(made, loaded)]


def _with_statistics(made: list[nn.Module], loaded: LoadedRun) -> str:
    """Give the BatchNorms that were ``made`` true statistics where the run's images are still there; what was done."""
    task = loaded.config.architecture.model_type
    try:
        samples = spread(evaluation_labels(loaded.config).samples, _IMAGES[task])
        images = build_loader(
            LabelSet.of([samples]), loaded.config.eval, task=task, seed=0, training=False, charset=loaded.charset
        )
        for network in made:
            set_statistics_(network, (batch.image for batch in images))
    except (ConfigError, DataError) as error:
        return (
            "the run's BatchNorms were folded: PaddleOCR gets BatchNorms of mean 0 and variance 1, which change what "
            f"the network says as soon as it trains. True ones need the run's validation images ({error})"
        )
    return f"the run's BatchNorms were folded: PaddleOCR gets new ones, measured on {len(samples)} validation images"


def _check(old: nn.Module, new: nn.Module, task: str) -> None:
    try:
        check_same(old, new, _HEIGHTS[task])
    except (RuntimeError, ValueError):  # PP-OCRv2's recogniser takes 32 pixels
        check_same(old, new, _SHORT_HEIGHT)
