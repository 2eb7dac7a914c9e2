"""Precision, recall and hmean of boxes.

Source: PaddleOCR ppocr/metrics/eval_det_iou.py at 79f652f5 (the ICDAR 2015 protocol).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from ocrtune.core.records import DetectionResult, Polygon, Sample
from ocrtune.metrics.base import paired, share
from ocrtune.metrics.registry import metrics

_IOU = 0.5
_IGNORED_SHARE = 0.5


class Counts(NamedTuple):
    """Labels that count, boxes that count, and pairs of them, of one image."""

    labels: int
    boxes: int
    matched: int


@dataclass(frozen=True)
class DetMetricOptions:
    """``Metric: {name: DetMetric}``. main_indicator picks the best checkpoint."""

    main_indicator: Literal["hmean", "precision", "recall"] = "hmean"


@metrics.register("DetMetric", DetMetricOptions)
class DetMetric:
    """Micro average over images: a box is right when its IoU with a label is above 0.5, one box per label.

    Blank pages count (PaddleOCR replaces them by the next image): every box on one is a false positive.
    """

    def __init__(self, options: DetMetricOptions | None = None):
        self._options = options or DetMetricOptions()
        self.reset()

    @property
    def main_indicator(self) -> str:
        """The key of :meth:`compute` that picks the best checkpoint."""
        return self._options.main_indicator

    def reset(self) -> None:
        """Forget everything seen so far."""
        self._images = 0
        self._total = Counts(0, 0, 0)

    def update(self, results: Sequence[DetectionResult], samples: Sequence[Sample]) -> None:
        """Add boxes, in source pixels, with the label lines they belong to."""
        paired(len(results), len(samples))
        for result, sample in zip(results, samples):
            labels = [instance.polygon for instance in sample.instances]
            ignore = [instance.ignore for instance in sample.instances]
            counts = match_boxes(labels, ignore, result.polygons)
            self._total = Counts(*(a + b for a, b in zip(self._total, counts)))
            self._images += 1

    def sums(self) -> dict[str, float]:
        """The counts so far."""
        return {"images": self._images, **self._total._asdict()}

    def add(self, sums: Mapping[str, float]) -> None:
        """Add the :meth:`sums` of another process."""
        self._images += int(sums["images"])
        self._total = Counts(*(own + int(sums[name]) for name, own in self._total._asdict().items()))

    def compute(self) -> dict[str, float]:
        """precision, recall, hmean (0..1; 0 when there is nothing to divide by) and the counts behind them."""
        labels, boxes, matched = self._total
        precision, recall = share(matched, boxes), share(matched, labels)
        return {
            "precision": precision,
            "recall": recall,
            "hmean": share(2 * precision * recall, precision + recall),
            "n_images": float(self._images),
            "n_labels": float(labels),
            "n_boxes": float(boxes),
            "n_matched": float(matched),
        }


def match_boxes(labels: Sequence[Polygon], ignore: Sequence[bool], boxes: Sequence[Polygon]) -> Counts:
    """Match the boxes of one image to its labels, all (K, 2) in the same pixels.

    Labels take, in their order, the first free box with IoU > 0.5. A box is not counted when more than half of it
    lies in an ignored label. Self-crossing polygons are skipped on both sides.
    """
    label_shapes, label_kept = _valid(labels)
    box_shapes, _ = _valid(boxes)
    ignored = np.asarray(ignore, bool)[label_kept]
    intersection, iou = _overlaps(label_shapes, box_shapes)
    box_areas = shapely.area(box_shapes)
    with np.errstate(divide="ignore", invalid="ignore"):
        hidden = (intersection[ignored] / box_areas > _IGNORED_SHARE).any(axis=0)
    free = ~hidden
    matched = 0
    for row in np.flatnonzero(~ignored):
        hits = np.flatnonzero(free & (iou[row] > _IOU))
        if len(hits):
            free[hits[0]] = False
            matched += 1
    return Counts(int((~ignored).sum()), int((~hidden).sum()), matched)


def _valid(polygons: Sequence[Polygon]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Shapes of the polygons that do not cross themselves, and which ones these are."""
    shapes = np.array([shapely.Polygon(np.asarray(polygon, np.float64)) for polygon in polygons], object)
    kept = shapely.is_valid(shapes).astype(bool)
    return shapes[kept], kept


def _overlaps(labels: NDArray[Any], boxes: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(L, B) intersections in square pixels and intersections over unions."""
    intersection, iou = np.zeros((2, len(labels), len(boxes)))
    rows, columns = np.nonzero(shapely.intersects(labels[:, None], boxes[None, :]))
    common = shapely.area(shapely.intersection(labels[rows], boxes[columns]))
    together = shapely.area(shapely.union(labels[rows], boxes[columns]))
    intersection[rows, columns] = common
    iou[rows, columns] = np.divide(common, together, out=np.zeros_like(common), where=together > 0)
    return intersection, iou
