"""Recognition measured as ``ocrtune predict --both_ways`` reads: each line upright and upside down."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from ocrtune.codec.both_ways import surer
from ocrtune.codec.image import DetPreprocess, RecPreprocess
from ocrtune.core.errors import ConfigError, Problem
from ocrtune.core.records import Batch, RecognitionResult, Sample
from ocrtune.training.batches import BatchSource
from ocrtune.training.evaluate import evaluate
from ocrtune.training.tasks.base import Task
from ocrtune.training.tasks.looking import Looking
from ocrtune.training.tasks.recognition import RecognitionTask, single_recogniser
from ocrtune.training.upside_down import Turned


def turned(preprocess: DetPreprocess | RecPreprocess) -> Turned:
    """The same tensors of the crops upside down; ConfigError for a detector."""
    if isinstance(preprocess, DetPreprocess):
        raise ConfigError(Problem("--both-ways", "is for recognition, this is detection", "leave it out"))
    return Turned(preprocess.image_shape, preprocess.max_width)


def evaluate_both_ways(
    model: nn.Module, upright: BatchSource, upside_down: BatchSource, task: Task, n_samples: int
) -> dict[str, float]:
    """As :func:`~ocrtune.training.evaluate.evaluate`, of each line's surer text.

    upright, upside_down: loaders of the same samples in the same order. ConfigError for a task of several networks.
    """
    task = single_recogniser(task, "--both-ways")
    texts, others = _Texts(task), _Texts(task)
    evaluate(model, upright, texts, n_samples)
    evaluate(model, upside_down, others, n_samples)
    assert texts.samples == others.samples
    task.reset()
    task.score(list(map(surer, texts.found, others.found)), texts.samples)
    return task.compute()


class _Texts(Looking):
    """Keeps the texts instead of scoring them."""

    def __init__(self, task: RecognitionTask):
        self._task = task
        self.reset()

    def reset(self) -> None:
        self.found: list[RecognitionResult] = []
        self.samples: list[Sample] = []

    def update(self, outputs: Mapping[str, Tensor], batch: Batch) -> None:
        self.found += self._task.read(outputs)
        self.samples += batch.samples
