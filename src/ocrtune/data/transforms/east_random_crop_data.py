"""EastRandomCropData: a random crop that never cuts through a text, scaled to the training size."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ocrtune.core.geometry import area, bounding_boxes
from ocrtune.core.records import Polygon
from ocrtune.data.canvas import clip_polygon, translation
from ocrtune.data.item import Context, Item
from ocrtune.data.transforms import transforms

Rectangle = tuple[int, int, int, int]
Boxes = NDArray[np.float32]

_LEAST_VISIBLE = 0.25


@dataclass(frozen=True)
class EastRandomCropDataOptions:
    """size: (width, height) pixels of the result. max_tries: draws before the whole page is taken.
    min_crop_side_ratio: smallest crop side as a share of the page. keep_ratio: scale both sides alike and pad with
    black on the right and below; otherwise stretch. fill_frame: (extension) where the crop is longer or wider than the
    result, take in more of the page, at the same scale, instead of black. enlarge: (extension) false: a crop smaller
    than the result takes in more of the page and is not scaled up, so that training sees text at the sizes that
    IaaAugment's Resize draws, which should lie around the scale of prediction."""

    size: tuple[int, int] = (640, 640)
    max_tries: int = 10
    min_crop_side_ratio: float = 0.1
    keep_ratio: bool = True
    fill_frame: bool = False
    enlarge: bool = True

    def __post_init__(self) -> None:
        if min(self.size) < 32 or self.size[0] % 32 or self.size[1] % 32:
            raise ValueError(f"size is {list(self.size)}, expected multiples of 32")
        if not self.enlarge and not self.keep_ratio:
            raise ValueError("enlarge: false needs keep_ratio: true")


@transforms.register("EastRandomCropData", EastRandomCropDataOptions)
class EastRandomCropData:
    """Crop along rows and columns that no text (ignored ones aside) touches, keeping at least one text.

    Source: PaddleOCR ppocr/data/imaug/random_crop_data.py at 79f652f5. Unlike there, the free strip at the right and
    bottom edge can be chosen too, a page without text gives random crops rather than the whole page, and of texts that
    reach over the edge of the page (after a rotation) only the visible part is labelled; if that is less than a
    quarter, it is ignored.
    """

    def __init__(self, options: EastRandomCropDataOptions, context: Context):
        self.options = options

    def __call__(self, item: Item, rng: np.random.Generator) -> None:
        assert item.canvas is not None, "DecodeImage comes first"
        cared = [polygon for polygon, ignored in zip(item.polygons, item.ignore) if not ignored]
        crop = find_crop(item.canvas.size, cared, self.options, rng)
        if not self.options.enlarge:
            crop = reach_size(crop, item.canvas.size, cared, self.options.size, rng)
        if self.options.fill_frame and self.options.keep_ratio:
            crop = extend_crop(crop, item.canvas.size, cared, self.options.size, rng)
        left, top, width, height = crop
        target_width, target_height = self.options.size
        x_scale, y_scale = target_width / width, target_height / height
        if self.options.keep_ratio:
            x_scale = y_scale = min(x_scale, y_scale, *(() if self.options.enlarge else (1.0,)))
        used = max(round(width * x_scale), 1), max(round(height * y_scale), 1)
        item.move(np.diag([x_scale, y_scale, 1.0]) @ translation(-left, -top), used, min(x_scale, y_scale))
        item.canvas.pixels(frame=self.options.size)
        item.used = used
        _keep_visible(item, *used)


def find_crop(
    size: tuple[int, int],
    polygons: list[Polygon],
    options: EastRandomCropDataOptions,
    rng: np.random.Generator,
) -> Rectangle:
    """(left, top, width, height) in a page of ``size`` (width, height) that cuts none of ``polygons``."""
    boxes = bounding_boxes(polygons)
    columns, rows = _free_runs(size[0], boxes[:, [0, 2]]), _free_runs(size[1], boxes[:, [1, 3]])
    if not columns or not rows:
        return 0, 0, *size
    left, right = _two_positions(columns, options.max_tries, rng)
    top, bottom = _two_positions(rows, options.max_tries, rng)
    wide = right - left >= max(options.min_crop_side_ratio * size[0], 1)
    high = bottom - top >= max(options.min_crop_side_ratio * size[1], 1)
    for i in np.flatnonzero(wide & high).tolist():
        if not polygons or not _outside(boxes, left[i], top[i], right[i], bottom[i]).all():
            return int(left[i]), int(top[i]), int(right[i] - left[i]), int(bottom[i] - top[i])
    return 0, 0, *size


def extend_crop(
    crop: Rectangle,
    size: tuple[int, int],
    polygons: list[Polygon],
    target: tuple[int, int],
    rng: np.random.Generator,
) -> Rectangle:
    """``crop`` grown along its relatively shorter side towards the aspect of ``target`` (width, height).

    It grows by a random share to either side, not past the page of ``size`` and not into a text.
    """
    axis = 1 if crop[2] * target[1] > crop[3] * target[0] else 0  # 0: grow in width, 1: in height
    wanted = round(crop[3 - axis] * target[axis] / target[1 - axis])
    return _grown(crop, axis, wanted, size, polygons, rng)


def reach_size(
    crop: Rectangle,
    size: tuple[int, int],
    polygons: list[Polygon],
    target: tuple[int, int],
    rng: np.random.Generator,
) -> Rectangle:
    """``crop`` grown to at least ``target`` (width, height), as far as the page of ``size`` and its texts allow."""
    for axis in (0, 1):
        crop = _grown(crop, axis, target[axis], size, polygons, rng)
    return crop


def _grown(
    crop: Rectangle, axis: int, wanted: int, size: tuple[int, int], polygons: list[Polygon], rng: np.random.Generator
) -> Rectangle:
    """``crop`` with at most ``wanted`` pixels in width (axis 0) or height (1), never less than it has."""
    first, length = crop[axis], crop[axis + 2]
    wanted = min(wanted, size[axis])
    other_first, other_end = crop[1 - axis], crop[1 - axis] + crop[3 - axis]
    boxes = bounding_boxes(polygons)
    beside = boxes[(boxes[:, 3 - axis] > other_first) & (boxes[:, 1 - axis] < other_end)]
    covered = ~_free(size[axis] + 1, beside[:, [axis, axis + 2]])
    covered[[0, -1]] = False
    low = first - int(rng.integers(max(wanted - length, 0) + 1))
    low = min(max(low, 0), size[axis] - wanted)
    high = max(low + wanted, first + length)
    low = min(low, first)
    while covered[low] and low < first:
        low += 1
    while covered[high] and high > first + length:
        high -= 1
    return (low, crop[1], high - low, crop[3]) if axis == 0 else (crop[0], low, crop[2], high - low)


def _keep_visible(item: Item, width: int, height: int) -> None:
    """Cut the polygons to the pixels [0, width] x [0, height]; drop those outside, ignore those hardly inside."""
    boxes = bounding_boxes(item.polygons)
    seen = ~_outside(boxes, 0, 0, width, height)
    item.keep(np.flatnonzero(seen).tolist())
    whole = (boxes[seen] >= 0).all(axis=1) & (boxes[seen, 2:] <= (width, height)).all(axis=1)
    for i in np.flatnonzero(~whole):
        polygon = item.polygons[i]
        visible = clip_polygon(polygon, width, height)
        item.ignore[i] |= len(visible) < 3 or area(visible) < _LEAST_VISIBLE * area(polygon)
        item.polygons[i] = visible if len(visible) >= 3 else np.clip(polygon, 0, (width, height)).astype(np.float32)


def _free_runs(length: int, extents: Boxes) -> list[tuple[int, int]]:
    """Runs [first, last] of positions 0..length-1 that none of the (N, 2) extents covers."""
    edges = np.flatnonzero(np.diff(_free(length, extents), prepend=False, append=False)).tolist()
    return [(first, end - 1) for first, end in zip(edges[::2], edges[1::2])]


def _free(length: int, extents: Boxes) -> NDArray[np.bool_]:
    free = np.ones(length, bool)
    for low, high in extents.tolist():
        free[max(math.floor(low), 0) : max(math.ceil(high), 0)] = False
    return free


def _two_positions(
    runs: list[tuple[int, int]], tries: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Two positions, sorted, each evenly drawn from an evenly drawn run; (tries,) of them."""
    chosen = np.array(runs)[rng.integers(len(runs), size=(tries, 2))]
    positions = np.sort(rng.integers(chosen[..., 0], chosen[..., 1] + 1), axis=1)
    return positions[:, 0], positions[:, 1]


def _outside(boxes: Boxes, left: float, top: float, right: float, bottom: float) -> NDArray[np.bool_]:
    """Whether each of the boxes has no area in common with the rectangle."""
    return (boxes[:, 2] <= left) | (boxes[:, 0] >= right) | (boxes[:, 3] <= top) | (boxes[:, 1] >= bottom)
