"""A run folder: prepared before training, and afterwards enough by itself to rebuild its model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from torch import nn

from ocrtune.config.loader import load_config
from ocrtune.config.schema import RunConfig
from ocrtune.config.writer import save_config
from ocrtune.core.charset import Charset
from ocrtune.core.errors import ConfigError, Problem, WeightsError
from ocrtune.models.build import build_model
from ocrtune.training.checkpoint import (
    BEST,
    CONFIG,
    DICTIONARY,
    LATEST,
    STATE,
    Score,
    load_checkpoint_weights,
    write_file,
)
from ocrtune.training.interpolate import TUNED
from ocrtune.training.registries import all_registries
from ocrtune.training.start import run_folder_of


@dataclass(frozen=True)
class LoadedRun:
    """A run's model in eval mode, on the CPU. score: the evaluation stored with the weights."""

    config: RunConfig
    charset: Charset | None
    model: nn.Module
    score: Score | None


def prepare_folder(config: RunConfig, charset: Charset | None) -> RunConfig:
    """Make ``Global.save_model_dir`` and write config and dictionary into it; the config that was written.

    Raises ConfigError when the folder cannot be written or already holds another run's checkpoint.
    """
    folder = config.global_options.save_model_dir
    resumes = config.global_options.checkpoints is not None
    where = "Global.save_model_dir"
    if (folder / STATE).exists() and not resumes:
        fix = f"choose another folder, delete it, or go on with it: -o Global.checkpoints={folder}"
        raise ConfigError(Problem(where, f"{folder} already holds a run", fix))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not resumes:
            (folder / "train.jsonl").unlink(missing_ok=True)
        if charset is not None:
            write_file(folder / DICTIONARY, dictionary_text(charset).encode())
            options = replace(
                config.global_options,
                character_dict_path=folder / DICTIONARY,
                use_space_char=charset.use_space_char,
            )
            config = replace(config, global_options=options)
        save_config(_to_be_repeated(config), folder / CONFIG)
    except OSError as error:
        raise ConfigError(Problem(where, f"cannot write to {folder} ({error.strerror})")) from error
    return config


def _to_be_repeated(config: RunConfig) -> RunConfig:
    """``config`` without what is asked for once: ``Global.profile``."""
    return replace(config, global_options=replace(config.global_options, profile=None))


def copy_best(folder: Path, came_from: Path) -> None:
    """Where the run in ``came_from`` goes on in another ``folder``: its best weights, which later ones must beat."""
    if folder.resolve() == came_from.resolve():
        return
    for name in (BEST, TUNED):
        if (came_from / name).is_file():
            write_file(folder / name, (came_from / name).read_bytes())


def with_batch_of_resumed(config: RunConfig) -> RunConfig:
    """Where a run goes on whose batch size is ``auto``: the batch size and the sampler that it began with."""
    checkpoints = config.global_options.checkpoints
    if checkpoints is None or not config.train.loader.auto_batch:
        return config
    train = saved_config(run_folder_of(checkpoints)).train
    size = train.loader.batch_size_per_card
    loader = replace(config.train.loader, batch_size_per_card=size, auto_batch=False)
    return replace(config, train=replace(config.train, loader=loader, sampler=train.sampler))


def dictionary_text(charset: Charset) -> str:
    """The lines of a dictionary file, without the space that ``use_space_char`` appends."""
    lines = charset.characters[:-1] if charset.use_space_char else charset.characters
    return "\n".join(lines) + "\n"


def load_run(folder: Path | str, which: Literal["best", "latest"] = "best") -> LoadedRun:
    """Rebuild the model of a run from its folder alone, wherever the folder is now.

    Raises ConfigError or WeightsError when the folder is not a run, or is damaged.
    """
    folder = Path(folder)
    config = saved_config(folder)
    charset = None
    if config.architecture.model_type == "rec":
        charset = Charset.from_file(folder / DICTIONARY, config.global_options.use_space_char)
    model = build_model(config.architecture, charset)
    score = load_checkpoint_weights(model, folder / (BEST if which == "best" else LATEST))
    return LoadedRun(config, charset, model.eval(), score)


def saved_config(folder: Path) -> RunConfig:
    """The config that the run in ``folder`` was made with; WeightsError when it is not a run folder."""
    if not (folder / CONFIG).is_file():
        raise WeightsError(Problem(str(folder), f"not a run folder: it has no {CONFIG}", "give what train wrote"))
    return load_config(folder / CONFIG, registries=all_registries(), files_of=()).config
