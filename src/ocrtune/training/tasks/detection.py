"""Text detection: probability map -> boxes in source pixels -> precision, recall, hmean."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ocrtune.codec.db import DBPostProcess
from ocrtune.core.records import Batch
from ocrtune.metrics.detection import DetMetric


class DetectionTask:
    """Reads ``shrink`` (N, 1, H, W) and, from ``batch.meta``, how each tensor relates to its image (``Scale``)."""

    def __init__(self, postprocess: DBPostProcess, metric: DetMetric):
        self._postprocess = postprocess
        self._metric = metric

    @property
    def main_indicator(self) -> str:
        """The metric that picks the best checkpoint."""
        return self._metric.main_indicator

    def reset(self) -> None:
        """Begin a new evaluation."""
        self._metric.reset()

    def update(self, outputs: Mapping[str, Tensor], batch: Batch) -> None:
        """Find and score the boxes of one batch."""
        maps = outputs["shrink"][:, 0].float().cpu().numpy()
        results = [self._postprocess(prob, scale) for prob, scale in zip(maps, batch.meta, strict=True)]
        self._metric.update(results, batch.samples)

    def sums(self) -> dict[str, float]:
        """What the metrics are computed from."""
        return self._metric.sums()

    def add(self, sums: Mapping[str, float]) -> None:
        """Add the :meth:`sums` of another process."""
        self._metric.add(sums)

    def compute(self) -> dict[str, float]:
        """precision, recall, hmean and counts."""
        return self._metric.compute()
