"""What a run starts from: dictionary, model, weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from ocrtune.config.architecture_schema import Distillation
from ocrtune.config.schema import GlobalOptions, RunConfig
from ocrtune.core.charset import Charset
from ocrtune.core.errors import ConfigError, Problem, WeightsError
from ocrtune.core.records import Batch
from ocrtune.core.submodels import plain
from ocrtune.models.fold import form_of, restore_batchnorm_
from ocrtune.models.forms import parts_of, set_form_
from ocrtune.training.checkpoint import BEST, DICTIONARY, Progress, load_state
from ocrtune.training.ema import WeightAverage
from ocrtune.training.step import Trainer
from ocrtune.weights.load import load_weights
from ocrtune.weights.source import open_source

_STATISTICS_IMAGES = 256  # images that the statistics of restored BatchNorms are measured on


def read_charset(config: RunConfig) -> Charset | None:
    """The dictionary of a recognition run, None for detection.

    The one in the run folder that ``checkpoints`` means; else ``character_dict_path``; else the one inside the weights.
    With ``on_mismatch: union`` the weights' dictionary, and behind it what ``character_dict_path`` adds.
    """
    options = config.global_options
    if config.architecture.model_type == "det":
        return None
    if options.checkpoints is not None:
        return Charset.from_file(run_folder_of(options.checkpoints) / DICTIONARY, options.use_space_char)
    given = None
    if options.character_dict_path is not None:
        given = Charset.from_file(options.character_dict_path, options.use_space_char)
        if options.on_mismatch != "union":
            return given
    found = next(filter(None, map(_charset_in, _all_sources(config))), None) or pretrained_charset(options)
    if found is None:
        where, fix = "Global.character_dict_path", "give the dictionary of the weights"
        if given is not None:
            where = "Global.pretrained_character_dict_path"
            fix += ": a union needs it"
        raise ConfigError(Problem(where, "missing, and the weights carry no dictionary", fix))
    return found if given is None else found.union(given)


def _all_sources(config: RunConfig) -> Iterator[str | Path | None]:
    """The weights that the run starts from, those of the networks of a distillation included."""
    yield weights_source(config.global_options)
    if isinstance(config.architecture, Distillation):
        for network in config.architecture.models.values():
            yield weights_source(replace(config.global_options, pretrained_model=network.pretrained))


def _charset_in(source: str | Path | None) -> Charset | None:
    return open_source(source).charset if source else None


def pretrained_charset(options: GlobalOptions) -> Charset | None:
    """The dictionary that ``pretrained_character_dict_path`` names: of weights that do not carry theirs."""
    path = options.pretrained_character_dict_path
    return Charset.from_file(path, options.use_space_char) if path is not None else None


def run_folder_of(checkpoints: Path) -> Path:
    """The run folder that ``Global.checkpoints`` means: the folder itself, or the one that a file in it names."""
    return checkpoints if checkpoints.is_dir() else checkpoints.parent


def load_start(model: nn.Module, options: GlobalOptions, charset: Charset | None, say: Callable[[str], None]) -> None:
    """Fill ``model`` from ``pretrained_model``: a name, a file, the folder of an inference model, or a run."""
    for notice in charset.notices if charset is not None else ():
        say(f"dictionary: {notice}")
    source = weights_source(options)
    if source is None:
        say("no pretrained_model: training starts from random weights")
    else:
        allowed, mismatch = options.allow_partial, options.on_mismatch
        report = load_weights(
            model,
            source,
            charset=charset,
            allow_partial=allowed,
            on_mismatch=mismatch,
            source_charset=pretrained_charset(options),
        )
        say(f"weights: {report}")


def weights_source(options: GlobalOptions) -> str | Path | None:
    """What ``pretrained_model`` means: a run folder means its best checkpoint."""
    name = options.pretrained_model
    return Path(name) / BEST if name and (Path(name) / BEST).is_file() else name


def restore_norms(model: nn.Module, options: GlobalOptions, batches: Iterable[Batch]) -> bool:
    """Where the config asks for it and the weights are folded, put BatchNorm back; whether it was done.

    The statistics are measured on the first 256 images of ``batches``, as training sees them.
    """
    if options.batchnorm != "restored":
        return False
    folded = [part for part in parts_of(model) if form_of(part) in ("merged", "release", "folded")]
    for part in folded:
        restore_batchnorm_(part, _first_images(batches, _STATISTICS_IMAGES))
    return bool(folded)


def _first_images(batches: Iterable[Batch], count: int) -> Iterable[Tensor]:
    seen = 0
    for batch in batches:
        yield batch.image
        seen += len(batch)
        if seen >= count:
            return


def resume(trainer: Trainer, folder: Path, steps_per_epoch: int) -> None:
    """Set model, optimiser, average, progress and random numbers to where the run in ``folder`` stopped.

    A run that stopped inside an epoch goes on inside it, unless its epochs had another number of steps: then it begins
    that epoch again. The model must be in the form of the checkpoint, see :func:`resume_form`.
    """
    state = load_state(folder, trainer.processes.rank)
    trainer.model.load_state_dict(state["model"])
    trainer.optimizer.load_state_dict(state["optimizer"])
    if isinstance(trainer.average, WeightAverage) and state["average"] is not None:
        trainer.average.load_state_dict(state["average"])
    trainer.progress = Progress.from_dict(state["progress"])
    if state.get("steps_per_epoch") != steps_per_epoch:
        trainer.progress.step = trainer.progress.epoch * steps_per_epoch


def resume_form(model: nn.Module, folder: Path) -> None:
    """Give a freshly built model the form of the checkpoint in ``folder``, before its optimiser is built."""
    text = load_state(folder)["form"]
    if not set_form_(model, text):
        raise WeightsError(Problem(str(folder), f"holds other networks ({text})", "use the config.yml beside it"))


def pixels_per_step(model: nn.Module, height: int, width: int = 320) -> int:
    """Input pixels per output step of a recogniser, rounded up; measured on a blank image of height ``height``."""
    was_training = model.training
    model.eval()
    with torch.no_grad():
        outputs: dict[str, Tensor] = model(torch.zeros(1, 3, height, width))
    model.train(was_training)
    steps = [value.shape[1] for name, value in outputs.items() if plain(name) == "ctc"]
    return math.ceil(width / min(steps))
