"""RecResizeImg and SVTRRecResizeImg: crop to tensor at a fixed height."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ocrtune.codec.image import squeeze_to_width
from ocrtune.core.options import ignored
from ocrtune.data.item import Context, Frame, Item
from ocrtune.data.transforms import transforms


@dataclass(frozen=True)
class RecResizeImgOptions:
    """image_shape: (3, height, width) pixels. padding: keep the aspect and fill up on the right; otherwise stretch.
    max_width: (extension) evaluation only: crops wider than this are squeezed."""

    image_shape: tuple[int, int, int]
    padding: bool = True
    max_width: int | None = None
    eval_mode: bool | None = ignored("evaluation never squeezes below max_width")
    infer_mode: bool | None = ignored("prediction has its own command")

    def __post_init__(self) -> None:
        if self.image_shape[0] != 3 or min(self.image_shape) < 1:
            raise ValueError("image_shape must be [3, height, width]")


@dataclass(frozen=True)
class SVTRRecResizeImgOptions:
    """image_shape: (3, height, width) pixels of every tensor, in evaluation too: wider crops are squeezed.
    padding: keep the aspect and fill up on the right; otherwise stretch."""

    image_shape: tuple[int, int, int]
    padding: bool = True

    def __post_init__(self) -> None:
        if self.image_shape[0] != 3 or min(self.image_shape) < 1:
            raise ValueError("image_shape must be [3, height, width]")


FixedHeight = RecResizeImgOptions | SVTRRecResizeImgOptions


@transforms.register("SVTRRecResizeImg", SVTRRecResizeImgOptions)
@transforms.register("RecResizeImg", RecResizeImgOptions)
class RecResizeImg:
    """The tensor (3, height, width), normalised to -1..1; what the sampler asks for wins over ``image_shape``. Sets the
    target ``valid_ratio``."""

    def __init__(self, options: FixedHeight, context: Context):
        self.options = options

    def __call__(self, item: Item, rng: np.random.Generator) -> None:
        _, height, width = self.options.image_shape
        fit(item, item.frame or Frame(height, width, width), self.options.padding)


def fit(item: Item, frame: Frame, padding: bool = True) -> None:
    """Give ``item`` its tensor (3, height, width) within ``frame``, as wide as the aspect asks for, padded or squeezed
    to the bounds, and the target ``valid_ratio``, the share of that width that shows the crop, () float32."""
    image = item.image
    wanted = math.ceil(frame.height * (image.shape[1] / image.shape[0]))
    width = min(max(wanted, frame.min_width), frame.max_width)
    item.tensor, ratio = squeeze_to_width(image, (3, frame.height, width), padding)
    item.targets["valid_ratio"] = np.float32(ratio)
