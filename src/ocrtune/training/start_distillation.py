"""What the networks of a distillation start from, and which of them are evaluated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import torch
from torch import nn

from ocrtune.config.architecture_schema import Distillation
from ocrtune.config.schema import GlobalOptions, RunConfig
from ocrtune.core.charset import Charset
from ocrtune.core.errors import Problem, WeightsError
from ocrtune.models.distillation import DistillationModel
from ocrtune.training.start import load_start, pretrained_charset, weights_source
from ocrtune.weights.load import load_weights
from ocrtune.weights.prefixes import networks, short_name
from ocrtune.weights.source import NamedTensors, open_source

Say = Callable[[str], None]


def fill_model(model: nn.Module, config: RunConfig, charset: Charset | None, say: Say) -> None:
    """Fill one network from ``Global.pretrained_model``; of several, each from its own ``pretrained`` before that.

    As in PaddleOCR the whole comes second and wins, and a network may have neither: it starts from random weights,
    which is said. WeightsError when weights do not fit.
    """
    options, architecture = config.global_options, config.architecture
    if not isinstance(model, DistillationModel) or not isinstance(architecture, Distillation):
        load_start(model, options, charset, say)
        return
    for name, network in model.networks():
        own = architecture.models[name].pretrained
        if own is not None:
            load_start(network, replace(options, pretrained_model=own), charset, _naming(name, say))
        elif options.pretrained_model is None:
            say(f"{name}: no pretrained weights, it starts from random ones")
    if options.pretrained_model is not None:
        _load_whole(model, options, charset, say)
    for first, second in _equal_learners(model):
        what = (
            f"{first} and {second} start from equal weights and see equal images, so they learn nothing from each other"
        )
        say(f"warning: {what}; give one of them other weights, or none")


def _equal_learners(model: DistillationModel) -> Iterator[tuple[str, str]]:
    """Pairs of networks that learn and are the same: without dropout they stay the same for ever."""
    learners = [(name, network.state_dict()) for name, network in model.networks() if name not in model.frozen]
    for (first, one), (second, other) in combinations(learners, 2):
        if one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one):
            yield first, second


def _naming(name: str, say: Say) -> Say:
    return lambda line: say(f"{name}: {line}")


def evaluate_only_named(model: nn.Module, config: RunConfig) -> None:
    """In evaluation, run only those networks of a distillation that ``PostProcess.model_name`` lists."""
    if isinstance(model, DistillationModel):
        model.evaluate_only(config.postprocess.options.model_name)


def _load_whole(model: DistillationModel, options: GlobalOptions, charset: Charset | None, say: Say) -> None:
    source = weights_source(options)
    assert source is not None
    prefixes = _prefixes(source, model.names)
    for name, network in model.networks():
        report = load_weights(
            network,
            source,
            charset=charset,
            allow_partial=options.allow_partial,
            on_mismatch=options.on_mismatch,
            source_charset=pretrained_charset(options),
            prefix=prefixes[name],
        )
        say(f"{name}: weights: {report}")


def _prefixes(source: str | Path, names: tuple[str, ...]) -> dict[str, str]:
    """What each network's tensors begin with in a checkpoint of PaddleOCR or of a run, ``Student.`` for example.

    WeightsError when the file does not hold every network.
    """
    content = open_source(source).content
    tensors = content.tensors if isinstance(content, NamedTensors) else {}
    found = {short_name(prefix).lower(): prefix for prefix in networks(tensors)}
    missing = [name for name in names if name.lower() not in found]
    if missing:
        fix = "give each network its own, as " + ", ".join(f"Architecture.Models.{name}.pretrained" for name in names)
        raise WeightsError(Problem(str(source), f"holds no network called {', '.join(missing)}", fix))
    return {name: found[name.lower()] for name in names}
