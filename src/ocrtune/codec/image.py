"""Image -> tensor, for detection and recognition: the one place where pixels are resized and normalised.

Images are (H, W, 3) uint8 BGR, tensors (3, H, W) float32 in the same channel order. The numbers equal PaddleOCR's
(ppocr/data/imaug/operators.py, ppocr/data/imaug/rec_img_aug.py, tools/infer/predict_rec.py at 79f652f5).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from ocrtune.codec import card
from ocrtune.codec.crop import crop_polygon as crop_polygon
from ocrtune.codec.crop import crop_quad as crop_quad
from ocrtune.codec.pixels import look_up, look_up_with_opencv
from ocrtune.core.errors import DataError, Problem
from ocrtune.core.records import Image

Tensor = NDArray[np.float32]

_STRIDE = 32  # detection networks halve the image five times
_LONG_STRIDE = 128  # PaddleOCR's `resize_long` form rounds up to this
_TINY = 64  # images whose height + width is below this are padded to 32 x 32 first


@dataclass(frozen=True)
class Scale:
    """How a detection tensor relates to its source image.

    source_height, source_width: pixels of the source. ratio_h, ratio_w: tensor pixels per source pixel.
    """

    source_height: int
    source_width: int
    ratio_h: float = 1.0
    ratio_w: float = 1.0

    @property
    def covered(self) -> tuple[int, int]:
        """(height, width) in source pixels that the tensor shows: the source, padded when it is tiny."""
        return padded_size(self.source_height, self.source_width)


@dataclass(frozen=True)
class DetPreprocess:
    """Resize a page so that the network can take it, then normalise.

    Exactly one of three forms decides the size (PaddleOCR ``DetResizeForTest``):

    - ``limit_side_len`` with ``limit_type``: "max" shrinks until the longer side is at most the limit, "min" enlarges
      until the shorter side is at least the limit, "resize_long" scales the longer side to the limit. Each side is
      then rounded to the nearest multiple of 32 (Python's round, at least 32), so the aspect may change a little.
    - ``image_shape`` (height, width): that size; with ``keep_ratio`` the width follows the aspect, rounded up to a
      multiple of 32. The caller chooses a height the network can take.
    - ``resize_long``: scales the longer side to it, then rounds both sides up to a multiple of 128.

    mean, std: per channel in the order of the image, applied after ``scale``. PaddleOCR uses ImageNet's RGB numbers on
    BGR images; the released weights were trained that way, so the defaults do the same.
    Raises ValueError for settings that do not fit together.
    """

    limit_side_len: int = 960
    limit_type: Literal["max", "min", "resize_long"] = "max"
    image_shape: tuple[int, int] | None = None
    keep_ratio: bool = False
    resize_long: int | None = None
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    scale: float = 1 / 255

    def __post_init__(self) -> None:
        if self.image_shape is not None and self.resize_long is not None:
            raise ValueError("image_shape and resize_long exclude each other")
        sizes = (
            self.limit_side_len,
            *(self.image_shape or ()),
            *([] if self.resize_long is None else [self.resize_long]),
        )
        if min(sizes) < 1:
            raise ValueError("sizes must be positive")
        if min(self.std) <= 0:
            raise ValueError("std must be positive")

    def __call__(self, image: Image) -> tuple[Tensor, Scale]:
        """(3, H, W) float32 and the way back to source pixels; DataError when the image is not (H, W, 3) uint8."""
        _check(image)
        source_height, source_width = image.shape[:2]
        height, width = padded_size(source_height, source_width)
        if (height, width) != (source_height, source_width):
            bottom, right = height - source_height, width - source_width
            image = np.pad(image, ((0, bottom), (0, right), (0, 0)))
        new_height, new_width = self.size(height, width)
        tensor = np.empty((3, new_height, new_width), np.float32)
        tables = _tables(self.mean, self.std, self.scale)
        look_up_with_opencv(tensor, _resize(image, new_height, new_width), tables)
        return tensor, Scale(source_height, source_width, new_height / height, new_width / width)

    def size(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) of the tensor for an image of that size."""
        if self.image_shape is not None:
            new_height, new_width = self.image_shape
            if self.keep_ratio:
                new_width = math.ceil(width * new_height / height / _STRIDE) * _STRIDE
            return new_height, new_width
        if self.resize_long is not None:
            ratio = self.resize_long / max(height, width)
            return _round_up(int(height * ratio)), _round_up(int(width * ratio))
        ratio = self._limit_ratio(height, width)
        return _round_to_stride(int(height * ratio)), _round_to_stride(int(width * ratio))

    def _limit_ratio(self, height: int, width: int) -> float:
        limit = float(self.limit_side_len)
        if self.limit_type == "max":
            return limit / max(height, width) if max(height, width) > limit else 1.0
        if self.limit_type == "min":
            return limit / min(height, width) if min(height, width) < limit else 1.0
        return limit / max(height, width)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able settings, for the model card."""
        return card.to_dict(self)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> DetPreprocess:
        """The inverse of :meth:`to_dict`; DataError for unknown keys and wrong types."""
        return card.from_dict(cls, raw)


@dataclass(frozen=True)
class RecPreprocess:
    """A text crop at a fixed height and at the width its own aspect asks for, right-padded with zeros.

    image_shape: (channels, height, smallest width). max_width: only crops wider than this are squeezed.
    The width depends on the crop alone, never on its neighbours in a batch: equal to PaddleOCR's and RapidOCR's
    ``resize_norm_img`` at batch size 1 (they have no ``max_width``).
    """

    image_shape: tuple[int, int, int] = (3, 48, 320)
    max_width: int = 3200

    def __post_init__(self) -> None:
        if self.image_shape[0] != 3:
            raise ValueError("image_shape must be [3, height, width]: crops are BGR")
        if min(self.image_shape) < 1:
            raise ValueError("sizes must be positive")
        if self.max_width < self.image_shape[2]:
            raise ValueError(f"max_width {self.max_width} is below the width of image_shape {self.image_shape[2]}")

    def width(self, image: Image) -> int:
        """Tensor width in pixels for this crop."""
        _check(image)
        height, width = image.shape[:2]
        return min(max(self.image_shape[2], int(self.image_shape[1] * (width / height))), self.max_width)

    def __call__(self, image: Image) -> Tensor:
        """(3, height, ``width(image)``) float32 in -1..1; the padding is 0. DataError for anything but a BGR image."""
        return _fit(image, self.image_shape[1], self.width(image), look_up_with_opencv)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able settings, for the model card."""
        return card.to_dict(self)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> RecPreprocess:
        """The inverse of :meth:`to_dict`; DataError for unknown keys and wrong types."""
        return card.from_dict(cls, raw)


def squeeze_to_width(image: Image, image_shape: tuple[int, int, int], padding: bool = True) -> tuple[Tensor, float]:
    """A crop at one fixed size: what PaddleOCR trains on (``RecResizeImg``), for batches of one width.

    image_shape: (3, height, width). Narrower crops are right-padded with zeros, wider ones squeezed; without
    ``padding`` every crop is stretched to the full width. Returns the (3, height, width) tensor and the share of the
    width that holds text, 0..1.
    """
    _, height, width = image_shape
    _check(image)
    if padding:
        used = min(math.ceil(height * (image.shape[1] / image.shape[0])), width)
        return _fit(image, height, width, look_up), used / width
    tensor = np.empty((3, height, width), np.float32)
    look_up(tensor, _resize(image, height, width), _half_tables())
    return tensor, 1.0


def width_batches(widths: Sequence[int], batch_size: int) -> list[list[int]]:
    """Indices of crops grouped so that a batch holds one tensor width only, narrow ones first.

    widths: tensor width of each crop. Every index occurs once; results are put back by these indices.
    """
    if batch_size < 1:
        raise ValueError("batch_size must be positive")
    order = sorted(range(len(widths)), key=lambda i: widths[i])
    batches: list[list[int]] = []
    for index in order:
        if not batches or len(batches[-1]) == batch_size or widths[batches[-1][0]] != widths[index]:
            batches.append([])
        batches[-1].append(index)
    return batches


def padded_size(height: int, width: int) -> tuple[int, int]:
    """Size of a page before resizing: at least 32 x 32 when height + width is below 64, else unchanged."""
    if height + width < _TINY:
        return max(_STRIDE, height), max(_STRIDE, width)
    return height, width


def _fit(image: Image, height: int, width: int, fill: Callable[[Tensor, Image, Tensor], None]) -> Tensor:
    ratio = image.shape[1] / image.shape[0]
    used = min(math.ceil(height * ratio), width)
    tensor = np.zeros((3, height, width), np.float32)
    fill(tensor[:, :, :used], _resize(image, height, used), _half_tables())
    return tensor


def _check(image: Image) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        what = f"got shape {image.shape} and type {image.dtype}, expected a BGR image (H, W, 3) of uint8"
        raise DataError(Problem("image", what))


def _resize(image: Image, height: int, width: int) -> Image:
    if image.shape[:2] == (height, width):
        return image
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _round_to_stride(side: int) -> int:
    return max(round(side / _STRIDE) * _STRIDE, _STRIDE)


def _round_up(side: int) -> int:
    return max(-(-side // _LONG_STRIDE) * _LONG_STRIDE, _LONG_STRIDE)


@lru_cache(maxsize=16)
def _tables(mean: tuple[float, ...], std: tuple[float, ...], scale: float) -> Tensor:
    levels = np.arange(256, dtype=np.float32) * np.float32(scale)
    return (levels - np.array(mean, np.float32)[:, None]) / np.array(std, np.float32)[:, None]


@lru_cache(maxsize=1)
def _half_tables() -> Tensor:
    levels = np.arange(256, dtype=np.float32) / np.float32(255)
    return np.tile((levels - np.float32(0.5)) / np.float32(0.5), (3, 1))
