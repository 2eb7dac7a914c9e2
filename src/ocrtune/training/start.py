"""What a run starts from: dictionary, model, weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch import Tensor, nn

from ocrtune.config.schema import GlobalOptions, RunConfig
from ocrtune.core.charset import Charset
from ocrtune.core.errors import ConfigError, Problem
from ocrtune.core.records import Batch
from ocrtune.models.fold import form_of, restore_batchnorm_, to_form_
from ocrtune.training.checkpoint import BEST, DICTIONARY, Progress, load_state
from ocrtune.training.ema import WeightAverage
from ocrtune.training.step import Trainer
from ocrtune.weights.load import load_weights
from ocrtune.weights.source import open_source

_STATISTICS_IMAGES = 256  # images that the statistics of restored BatchNorms are measured on


def read_charset(config: RunConfig) -> Charset | None:
    """The dictionary of a recognition run, None for detection.

    The one in the run folder that ``checkpoints`` means; else ``character_dict_path``; else the one inside the weights.
    """
    options = config.global_options
    if config.architecture.model_type == "det":
        return None
    if options.checkpoints is not None:
        return Charset.from_file(run_folder_of(options.checkpoints) / DICTIONARY, options.use_space_char)
    if options.character_dict_path is not None:
        return Charset.from_file(options.character_dict_path, options.use_space_char)
    source = _weights_source(options)
    found = open_source(source).charset if source else None
    if found is None:
        what = "missing, and the weights carry no dictionary"
        raise ConfigError(Problem("Global.character_dict_path", what, "give the dictionary of the weights"))
    return found


def run_folder_of(checkpoints: Path) -> Path:
    """The run folder that ``Global.checkpoints`` means: the folder itself, or the one that a file in it names."""
    return checkpoints if checkpoints.is_dir() else checkpoints.parent


def load_start(model: nn.Module, options: GlobalOptions, charset: Charset | None, say: Callable[[str], None]) -> None:
    """Fill ``model`` from ``pretrained_model``: a file, a catalogue name, or a run folder, which means its best."""
    source = _weights_source(options)
    if source is None:
        say("no pretrained_model: training starts from random weights")
    else:
        allowed, mismatch = options.allow_partial, options.on_mismatch
        report = load_weights(model, source, charset=charset, allow_partial=allowed, on_mismatch=mismatch)
        say(f"weights: {report}")


def _weights_source(options: GlobalOptions) -> str | Path | None:
    name = options.pretrained_model
    return Path(name) / BEST if name and Path(name).is_dir() else name


def restore_norms(model: nn.Module, options: GlobalOptions, batches: Iterable[Batch]) -> bool:
    """Where the config asks for it and the weights are folded, put BatchNorm back; whether it was done.

    The statistics are measured on the first 256 images of ``batches``, as training sees them.
    """
    if options.batchnorm != "restored" or form_of(model) not in ("release", "folded"):
        return False
    restore_batchnorm_(model, _first_images(batches, _STATISTICS_IMAGES))
    return True


def _first_images(batches: Iterable[Batch], count: int) -> Iterable[Tensor]:
    seen = 0
    for batch in batches:
        yield batch.image
        seen += len(batch)
        if seen >= count:
            return


def resume(trainer: Trainer, folder: Path, steps_per_epoch: int) -> None:
    """Set model, optimiser, average, progress and random numbers to where the run in ``folder`` stopped.

    A run that stopped inside an epoch begins that epoch again. The model must be in the form of the checkpoint, see
    :func:`resume_form`.
    """
    state = load_state(folder)
    trainer.model.load_state_dict(state["model"])
    trainer.optimizer.load_state_dict(state["optimizer"])
    if isinstance(trainer.average, WeightAverage) and state["average"] is not None:
        trainer.average.load_state_dict(state["average"])
    trainer.progress = Progress.from_dict(state["progress"])
    trainer.progress.step = trainer.progress.epoch * steps_per_epoch


def resume_form(model: nn.Module, folder: Path) -> None:
    """Give a freshly built model the form of the checkpoint in ``folder``, before its optimiser is built."""
    to_form_(model, load_state(folder)["form"])


def pixels_per_step(model: nn.Module, height: int, width: int = 320) -> int:
    """Input pixels per output step of a recogniser, rounded up; measured on a blank image of height ``height``."""
    was_training = model.training
    model.eval()
    with torch.no_grad():
        outputs: dict[str, Tensor] = model(torch.zeros(1, 3, height, width))
    model.train(was_training)
    return math.ceil(width / outputs["ctc"].shape[1])
