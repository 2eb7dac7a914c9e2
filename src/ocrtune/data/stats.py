"""Figures about a label set, for reports and for choosing sizes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ocrtune.data.labels import LabelSet


@dataclass(frozen=True)
class RecognitionStats:
    """widths: for each width in pixels at the model's height, rounded up to the step, how many crops have it.
    lengths: for each number of characters, how many texts have it. characters: how often each one occurs."""

    widths: dict[int, int]
    lengths: dict[int, int]
    characters: Counter[str]

    def rare(self, least: int = 200) -> dict[str, int]:
        """Characters that occur less than ``least`` times (PaddleOCR's FAQ advises 200 each), rarest first."""
        return {c: n for c, n in sorted(self.characters.items(), key=lambda pair: pair[1]) if n < least}


@dataclass(frozen=True)
class DetectionStats:
    """sizes: (N, 2) width and height of the pages. texts: per page. heights: (M,) shorter side of each text that is
    not ignored, in pixels of its page."""

    sizes: NDArray[np.int64]
    texts: NDArray[np.int64]
    heights: NDArray[np.float64]


def recognition_stats(labels: LabelSet, height: int = 48, step: int = 32) -> RecognitionStats:
    """height: of the tensor in pixels. DataError when an image has no readable size."""
    sizes = labels.with_sizes().sizes
    assert sizes is not None
    widths = np.ceil(height * sizes[:, 0] / sizes[:, 1] / step).astype(int) * step
    texts = [sample.text or "" for sample in labels.samples]
    return RecognitionStats(
        dict(sorted(Counter(widths.tolist()).items())),
        dict(sorted(Counter(map(len, texts)).items())),
        Counter(character for text in texts for character in text),
    )


def detection_stats(labels: LabelSet) -> DetectionStats:
    """DataError when an image has no readable size."""
    sizes = labels.with_sizes().sizes
    assert sizes is not None
    heights = [_shorter_side(i.polygon) for s in labels.samples for i in s.instances if not i.ignore]
    texts = np.array([len(sample.instances) for sample in labels.samples], np.int64)
    return DetectionStats(sizes, texts, np.array(heights, np.float64))


def _shorter_side(polygon: NDArray[np.float32]) -> float:
    if len(polygon) != 4:
        return float(np.ptp(polygon, axis=0).min())
    sides = np.linalg.norm(polygon - np.roll(polygon, -1, axis=0), axis=1)
    return float(min(sides[0] + sides[2], sides[1] + sides[3]) / 2)
