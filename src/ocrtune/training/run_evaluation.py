"""Metrics of a config's model on the config's ``Eval`` set, without training."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from torch import nn

from ocrtune.codec.language import Language
from ocrtune.config.schema import RunConfig
from ocrtune.core.charset import Charset
from ocrtune.data.loader import build_loader
from ocrtune.data.preprocess import preprocess_of
from ocrtune.models.build import build_model
from ocrtune.training.both_ways import evaluate_both_ways, turned
from ocrtune.training.checkpoint import BEST, load_checkpoint_weights
from ocrtune.training.data import evaluation_labels
from ocrtune.training.evaluate import evaluate
from ocrtune.training.precision import choose_device, placed
from ocrtune.training.start import read_charset
from ocrtune.training.start_distillation import evaluate_only_named, fill_model
from ocrtune.training.tasks.build import build_task
from ocrtune.training.tasks.recognition import single_recogniser


def evaluate_config(
    config: RunConfig,
    *,
    device: str | None = None,
    both_ways: bool = False,
    language: Language | None = None,
    say: Callable[[str], None] = print,
) -> dict[str, float]:
    """Every metric on the ``Eval`` samples of ``config``, those of ``holdout`` included.

    The weights are those of ``Global.checkpoints`` (a run folder means its best, a file means that file), else of
    ``Global.pretrained_model``. device: as PyTorch spells it; None takes a GPU if there is one.
    both_ways: read each line upside down as well and score the surer text; for recognition by a single network.
    language: what is known of the texts; for recognition by a single network.
    Raises ConfigError, DataError or WeightsError.
    """
    options = config.global_options
    charset = read_charset(config)
    task = build_task(config, charset)
    if language is not None:
        task = single_recogniser(task, "--language-labels, --language-words").knowing(language)
    kind = config.architecture.model_type
    samples = evaluation_labels(config)
    preprocess = preprocess_of(config.eval.dataset.transforms)
    build = partial(build_loader, samples, config.eval, task=kind, seed=options.seed, training=False, charset=charset)
    loader = build(preprocess=preprocess)
    upside_down = build(preprocess=turned(preprocess)) if both_ways else None
    model = build_model(config.architecture, charset)
    _load(model, config, charset, say)
    evaluate_only_named(model, config)
    model = placed(model, choose_device(device))
    if upside_down is not None:
        return evaluate_both_ways(model, loader, upside_down, task, len(samples))
    return evaluate(model, loader, task, len(samples))


def _load(model: nn.Module, config: RunConfig, charset: Charset | None, say: Callable[[str], None]) -> None:
    checkpoints = config.global_options.checkpoints
    if checkpoints is None:
        fill_model(model, config, charset, say)
        return
    path = checkpoint_file(checkpoints)
    score = load_checkpoint_weights(model, path)
    say(f"weights: {path}" + (f", epoch {score.epoch}, step {score.step}" if score else ""))


def checkpoint_file(checkpoints: Path) -> Path:
    """The weights file that ``Global.checkpoints`` means."""
    return checkpoints / BEST if checkpoints.is_dir() else checkpoints
