"""ColorJitter: brightness, contrast, saturation and hue, in random order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from ocrtune.core.records import Image
from ocrtune.data.canvas import Change
from ocrtune.data.item import Context, Item
from ocrtune.data.transforms import transforms


@dataclass(frozen=True)
class ColorJitterOptions:
    """brightness, contrast, saturation: the factor is drawn from 1 - value (at least 0) to 1 + value.
    hue: the shift is drawn from -value to value of the colour circle (at most 0.5)."""

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0

    def __post_init__(self) -> None:
        if min(self.brightness, self.contrast, self.saturation, self.hue) < 0 or self.hue > 0.5:
            raise ValueError("values must not be negative, hue at most 0.5")


@transforms.register("ColorJitter", ColorJitterOptions)
class ColorJitter:
    """Source of the distributions: paddle.vision.transforms.ColorJitter (OpenCV form), which PaddleOCR calls."""

    def __init__(self, options: ColorJitterOptions, context: Context):
        self.options = options

    def __call__(self, item: Item, rng: np.random.Generator) -> None:
        assert item.canvas is not None, "DecodeImage comes first"
        for step in rng.permutation(4):
            if (plan := self._plan(int(step), rng)) is not None:
                item.canvas.recolour(plan)

    def _plan(self, step: int, rng: np.random.Generator) -> Callable[[Image], Change] | None:
        strength = (self.options.brightness, self.options.contrast, self.options.saturation, self.options.hue)[step]
        if strength == 0:
            return None
        if step == 3:
            share = rng.uniform(-strength, strength)
            return lambda sketch: partial(shift_hue, share=share)
        factor = rng.uniform(max(0.0, 1 - strength), 1 + strength)
        if step == 2:
            return lambda sketch: partial(blend_grey, factor=factor)
        if step == 0:
            return lambda sketch: partial(stretch, factor=factor, centre=0.0)
        return lambda sketch: partial(stretch, factor=factor, centre=_mean_grey(sketch))


def _mean_grey(image: Image) -> float:
    return round(float(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).mean()))


def stretch(image: Image, factor: float, centre: float) -> Image:
    """``(pixel - centre) * factor + centre``, clipped: brightness about 0, contrast about the mean grey."""
    table = np.clip((np.arange(256, dtype=np.float32) - centre) * factor + centre, 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(image, table), np.uint8)


def blend_grey(image: Image, factor: float) -> Image:
    """Saturation: 0 is grey, 1 the image."""
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    return np.asarray(cv2.addWeighted(image, factor, grey, 1 - factor, 0), np.uint8)


def shift_hue(image: Image, share: float) -> Image:
    """Turn the hue by ``share`` (-0.5..0.5) of the full circle."""
    hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV_FULL)
    hue, saturation, value = cv2.split(hsv)
    table = ((np.arange(256) + round(share * 255)) % 256).astype(np.uint8)
    return np.asarray(
        cv2.cvtColor(cv2.merge([cv2.LUT(hue, table), saturation, value]), cv2.COLOR_HSV2BGR_FULL), np.uint8
    )
