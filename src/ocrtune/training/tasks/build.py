"""From a config to its task."""

from __future__ import annotations

from ocrtune.codec.registry import postprocessors
from ocrtune.config.schema import RunConfig
from ocrtune.core.charset import Charset
from ocrtune.core.errors import ConfigError, Problem
from ocrtune.metrics.registry import metrics
from ocrtune.training.tasks.base import Task
from ocrtune.training.tasks.detection import DetectionTask
from ocrtune.training.tasks.recognition import RecognitionTask

_PARTS = {"det": ("DBPostProcess", "DetMetric"), "rec": ("CTCLabelDecode", "RecMetric")}


def build_task(config: RunConfig, charset: Charset | None) -> Task:
    """The task of ``Architecture.model_type`` with the config's post-processing and metric.

    charset: the dictionary of a recogniser, None for a detector.
    Raises ConfigError when post-processing or metric belong to the other task.
    """
    kind = config.architecture.model_type
    given = (config.postprocess.name, config.metric.name)
    problems = [
        Problem(f"{section}.name", f"{name} does not fit model_type '{kind}'", f"use {expected}")
        for section, name, expected in zip(("PostProcess", "Metric"), given, _PARTS[kind])
        if name != expected
    ]
    if problems:
        raise ConfigError(problems)
    postprocess, metric = postprocessors.get(given[0]).factory, metrics.get(given[1]).factory
    if charset is None:
        return DetectionTask(postprocess(config.postprocess.options), metric(config.metric.options))
    return RecognitionTask(postprocess(config.postprocess.options, charset), metric(config.metric.options, charset))
