"""One network out of a distilled run: what is exported, and whose thresholds are tuned."""

from __future__ import annotations

from dataclasses import replace

from ocrtune.config.architecture_schema import Distillation
from ocrtune.config.component import Component
from ocrtune.config.schema import RunConfig
from ocrtune.core.errors import ConfigError, Problem, did_you_mean
from ocrtune.core.submodels import SEPARATOR, part_of
from ocrtune.training.run_folder import LoadedRun


def single(run: LoadedRun, network: str | None = None) -> LoadedRun:
    """``run`` with one network alone, as if it had been trained so; a run of one network as it is.

    network: its name; None means the one that ``Metric.key`` picks the best checkpoint by, commonly the student.
    The score keeps that network's metrics. ConfigError when there is no such network.
    """
    architecture, metric = run.config.architecture, run.config.metric.options
    if not isinstance(architecture, Distillation):
        if network is not None:
            raise ConfigError(Problem("network", f"the run has one network, none called '{network}'", "leave it out"))
        return run
    chosen = metric.key if network is None else network
    if chosen not in architecture.models:
        raise ConfigError(
            Problem("network", f"no network is called '{chosen}'", did_you_mean(chosen, architecture.models))
        )
    config = replace(
        run.config,
        architecture=architecture.models[chosen],
        postprocess=run.config.postprocess.options.decoder,
        metric=metric.base,
    )
    score = run.score
    if score is not None:
        own = {name: value for name, value in score.metrics.items() if SEPARATOR not in name}
        score = replace(score, metrics=own if chosen == metric.key else part_of(score.metrics, chosen))
    return LoadedRun(config, run.charset, run.model.get_submodule(chosen), score)


def with_decoder(config: RunConfig, decoder: Component) -> RunConfig:
    """``config`` with other settings for the post-processing of a network; of a distillation, of all of them."""
    if not isinstance(config.architecture, Distillation):
        return replace(config, postprocess=decoder)
    old = config.postprocess
    options = replace(old.options, decoder=decoder)
    raw = {"model_name": list(options.model_name), **decoder.raw}
    return replace(config, postprocess=Component(old.name, options, raw))
