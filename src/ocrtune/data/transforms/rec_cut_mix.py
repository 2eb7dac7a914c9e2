"""RecCutMix: the beginning of one line and the end of another."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ocrtune.codec.crop import rotate180
from ocrtune.core.records import Image
from ocrtune.data.item import Context, Item
from ocrtune.data.transforms import transforms

_BEFORE, _AFTER = 0.35, 0.15  # of the way from one character to the next: where the gap between them is looked for
_LEAST_SIDE = 2


@dataclass(frozen=True)
class RecCutMixOptions:
    """(extension) prob: how often a line is cut, if it can be; see ``ocrtune.training.spelling``."""

    prob: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.prob <= 1:
            raise ValueError("expected 0 <= prob <= 1")


@transforms.register("RecCutMix", RecCutMixOptions)
class RecCutMix:
    """(extension) Cut a line between two characters and go on with the end of another, image and text.

    Sets of real labels say the same few hundred texts again and again, and a recogniser learns these by heart; new
    texts of the same characters, written by the same hands, teach it to look. Lines are cut that the base model has
    read as labelled, at the emptiest column between the places where it read two neighbours. The second part takes on
    the height of the first, and its mean and contrast.
    """

    def __init__(self, options: RecCutMixOptions, context: Context):
        self.prob = options.prob
        self.spelled = context.spelled
        self.max_text_length = context.max_text_length

    def __call__(self, item: Item, rng: np.random.Generator) -> None:
        if item.draw is None or rng.random() >= self.prob or self._cuts(item) < 1:
            return
        other = item.draw(rng)
        if self._cuts(other) < 1:
            return
        first = int(rng.integers(1, self._cuts(item) + 1))
        second = int(rng.integers(1, self._cuts(other) + 1))
        text = item.text[:first] + other.text[second:]
        if len(text) > self.max_text_length:
            return
        whole, cut = self._cut(item, first)
        end_whole, end_cut = self._cut(other, second)
        end = _matched(end_whole, whole)[:, end_cut:]
        width = max(round(end.shape[1] * whole.shape[0] / end.shape[0]), _LEAST_SIDE)
        end = np.asarray(cv2.resize(end, (width, whole.shape[0]), interpolation=cv2.INTER_LINEAR), np.uint8)
        item.image = np.hstack([whole[:, :cut], end])
        item.text = text

    def _cuts(self, item: Item) -> int:
        """Between how many neighbours the line can be cut."""
        spelled = self.spelled.get(item.sample.source)
        return len(spelled.places) - 1 if spelled is not None else 0

    def _cut(self, item: Item, index: int) -> tuple[Image, int]:
        """(the line upright, the column at which its character ``index`` begins)."""
        spelled = self.spelled[item.sample.source]
        image = rotate180(item.image) if spelled.turned else item.image
        before, after = spelled.places[index - 1 : index + 1]
        low, high = before + _BEFORE * (after - before), after + _AFTER * (after - before)
        width = image.shape[1]
        left = min(max(int(low * width), _LEAST_SIDE), width - _LEAST_SIDE)
        right = min(max(int(np.ceil(high * width)), left + 1), width - 1)
        return image, left + emptiest_column(image[:, left:right])


def emptiest_column(image: Image) -> int:
    """The column of (H, W, 3), W >= 1, whose pixels differ least from each other; the middle one of equal ones."""
    contrast = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).std(axis=0)
    least = np.flatnonzero(contrast <= contrast.min() + 0.5)
    return int(least[len(least) // 2])


def _matched(image: Image, model: Image) -> Image:
    """``image`` with the mean and the standard deviation of ``model``."""
    (mean, std), (wanted, wanted_std) = (cv2.meanStdDev(each) for each in (image, model))
    factor = (wanted_std / np.maximum(std, 1)).ravel()
    levels = (np.arange(256)[:, None] - mean.ravel()) * factor + wanted.ravel()
    return np.asarray(cv2.LUT(image, np.clip(levels, 0, 255).astype(np.uint8)[None]), np.uint8)
