"""RecConAug: short crops joined into longer lines."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ocrtune.core.records import Image
from ocrtune.data.item import Context, Item
from ocrtune.data.transforms import transforms


@dataclass(frozen=True)
class RecConAugOptions:
    """prob: how often. ext_data_num: crops to add at most. image_shape: (height, width, 3) pixels: the height of the
    joined line and, by its aspect, the longest line. max_text_length: of ``Global`` when not given."""

    prob: float = 0.5
    image_shape: tuple[int, int, int] = (32, 320, 3)
    max_text_length: int | None = None
    ext_data_num: int = 1


@transforms.register("RecConAug", RecConAugOptions)
class RecConAug:
    """Append other samples, image and text, while text and width allow.

    Source: PaddleOCR ppocr/data/imaug/rec_img_aug.py at 79f652f5.
    """

    def __init__(self, options: RecConAugOptions, context: Context):
        self.options = options
        self.max_text_length = options.max_text_length or context.max_text_length

    def __call__(self, item: Item, rng: np.random.Generator) -> None:
        if item.draw is None or rng.random() > self.options.prob:
            return
        height, longest = self.options.image_shape[:2]
        for _ in range(self.options.ext_data_num):
            other = item.draw(rng)
            aspect = _aspect(item.image) + _aspect(other.image)
            if len(item.text) + len(other.text) > self.max_text_length or aspect > longest / height:
                return
            item.image = np.hstack([_at_height(item.image, height), _at_height(other.image, height)])
            item.text += other.text


def _aspect(image: Image) -> float:
    return float(image.shape[1] / image.shape[0])


def _at_height(image: Image, height: int) -> Image:
    size = (max(round(_aspect(image) * height), 1), height)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)
