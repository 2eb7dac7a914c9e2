"""Text recognition: CTC logits -> text -> accuracy and error rates against the raw label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ocrtune.codec.ctc import CTCCodec
from ocrtune.codec.language import Language
from ocrtune.core.errors import ConfigError, Problem
from ocrtune.core.records import Batch, RecognitionResult, Sample
from ocrtune.metrics.recognition import RecMetric
from ocrtune.training.tasks.base import Task


class RecognitionTask:
    """Reads ``ctc`` (N, T, C) logits."""

    def __init__(self, codec: CTCCodec, metric: RecMetric):
        self._codec = codec
        self._metric = metric

    @property
    def main_indicator(self) -> str:
        """The metric that picks the best checkpoint."""
        return self._metric.main_indicator

    def reset(self) -> None:
        """Begin a new evaluation."""
        self._metric.reset()

    def update(self, outputs: Mapping[str, Tensor], batch: Batch) -> None:
        """Read and score the texts of one batch."""
        self.score(self.read(outputs), batch.samples)

    def knowing(self, language: Language) -> RecognitionTask:
        """The same task, its texts read with what ``language`` knows."""
        return RecognitionTask(CTCCodec(self._codec.charset, language), self._metric)

    def read(self, outputs: Mapping[str, Tensor]) -> list[RecognitionResult]:
        """The text of every image of a batch."""
        return read_texts(outputs, self._codec)

    def score(self, texts: Sequence[RecognitionResult], samples: Sequence[Sample]) -> None:
        """Score texts that were read before."""
        self._metric.update(texts, samples)

    def sums(self) -> dict[str, float]:
        """What the metrics are computed from."""
        return self._metric.sums()

    def add(self, sums: Mapping[str, float]) -> None:
        """Add the :meth:`sums` of another process."""
        self._metric.add(sums)

    def compute(self) -> dict[str, float]:
        """accuracy (with and without spaces), cer and the others."""
        return self._metric.compute()


def single_recogniser(task: Task, flag: str) -> RecognitionTask:
    """``task``; ConfigError, in the name of a command line ``flag``, when it is another one."""
    if isinstance(task, RecognitionTask):
        return task
    what = "for recognition by a single network; this config is for detection or has several"
    raise ConfigError(Problem(flag, what, "leave it out"))


def read_texts(outputs: Mapping[str, Tensor], codec: CTCCodec) -> list[RecognitionResult]:
    """The text of every image of a batch, from its ``ctc`` logits (N, T, C)."""
    logits = outputs["ctc"].float()
    if codec.language is not None:
        return codec.decode(logits.softmax(dim=2).cpu().numpy())
    best, classes = logits.max(dim=2)
    probabilities = torch.exp(best - torch.logsumexp(logits, dim=2))
    return codec.decode_steps(classes.cpu().numpy(), probabilities.cpu().numpy())
