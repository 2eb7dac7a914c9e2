"""From a config to its task."""

from __future__ import annotations

from ocrtune.codec.registry import postprocessors
from ocrtune.config.architecture_schema import Distillation
from ocrtune.config.component import Component
from ocrtune.config.schema import RunConfig
from ocrtune.core.charset import Charset
from ocrtune.core.errors import ConfigError, Problem
from ocrtune.metrics.registry import metrics
from ocrtune.training.tasks.base import Task
from ocrtune.training.tasks.detection import DetectionTask
from ocrtune.training.tasks.distillation import DistillationTask
from ocrtune.training.tasks.recognition import RecognitionTask

_PARTS = {"det": ("DBPostProcess", "DetMetric"), "rec": ("CTCLabelDecode", "RecMetric")}
_DISTILLATION_PARTS = {
    "det": ("DistillationDBPostProcess", "DistillationMetric"),
    "rec": ("DistillationCTCLabelDecode", "DistillationMetric"),
}


def build_task(config: RunConfig, charset: Charset | None) -> Task:
    """The task of ``Architecture.model_type`` with the config's post-processing and metric.

    charset: the dictionary of a recogniser, None for a detector.
    Raises ConfigError when post-processing or metric belong to the other task, or to a distillation of which this is
    none.
    """
    kind = config.architecture.model_type
    several = isinstance(config.architecture, Distillation)
    _check_names(kind, several, config.postprocess.name, config.metric.name)
    if not several:
        return _task(config.postprocess, config.metric, charset)
    decode, metric = config.postprocess.options, config.metric.options
    _check_names(kind, False, decode.decoder.name, metric.base.name)
    if metric.key not in decode.model_name:
        fix = f"add it to PostProcess.model_name, or choose one of {', '.join(decode.model_name)}"
        raise ConfigError(Problem("Metric.key", f"{metric.key} is not evaluated", fix))
    tasks = {network: _task(decode.decoder, metric.base, charset) for network in decode.model_name}
    return DistillationTask(tasks, metric.key)


def _check_names(kind: str, several: bool, postprocess: str, metric: str) -> None:
    expected = (_DISTILLATION_PARTS if several else _PARTS)[kind]
    what = f"does not fit model_type '{kind}'" + (" with several Models" if several else "")
    problems = [
        Problem(f"{section}.name", f"{name} {what}", f"use {wanted}")
        for section, name, wanted in zip(("PostProcess", "Metric"), (postprocess, metric), expected)
        if name != wanted
    ]
    if problems:
        raise ConfigError(problems)


def _task(postprocess: Component, metric: Component, charset: Charset | None) -> Task:
    """The task of one network."""
    decoder, scores = postprocessors.get(postprocess.name).factory, metrics.get(metric.name).factory
    if charset is None:
        return DetectionTask(decoder(postprocess.options), scores(metric.options))
    return RecognitionTask(decoder(postprocess.options, charset), scores(metric.options, charset))
