"""An image whose geometric changes are collected and then applied in one resampling.

PaddleOCR resamples once per transform (rotate, resize to up to three times the size, crop); composing the same changes
into one warp gives the same geometry at a fraction of the time and without repeated blur.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ocrtune.core.records import Image, Polygon

Matrix = NDArray[np.float64]

_MARGIN = 2
_SKETCH = 64


class Canvas:
    """An image and a pending projective map of it.

    Coordinates are pixel edges: x runs from 0 to the width, so a scaled point is just multiplied. ``size`` is the
    (width, height) that the image will have once the pending map is applied.
    """

    def __init__(self, image: Image):
        self._image = image
        self._matrix: Matrix = np.eye(3)
        self._pending = False
        self._scale = 1.0
        self._coarsest = 1.0
        self._fill: tuple[int, int, int] = (0, 0, 0)
        self._recolour: list[Callable[[Image], Image]] = []
        self.size: tuple[int, int] = (image.shape[1], image.shape[0])

    def apply(
        self,
        matrix: Matrix,
        size: tuple[int, int],
        scale: float = 1.0,
        fill: tuple[int, int, int] | None = None,
    ) -> None:
        """Add one change: ``matrix`` (3, 3) takes points of the present canvas to points of one of ``size``.

        scale: by how much the change enlarges. A chain that first shrinks and then enlarges is resampled at its
        smallest scale and enlarged from there, so it loses the detail that doing it step by step would lose.
        fill: colour of what the source does not cover.
        """
        self._matrix = np.asarray(matrix, np.float64) @ self._matrix
        self._scale *= scale
        self._coarsest = min(self._coarsest, self._scale)
        self._fill = self._fill if fill is None else fill
        self._pending = True
        self.size = size

    def recolour(self, change: Callable[[Image], Image]) -> None:
        """Add a change of each pixel by itself; it is made when the pixels are asked for, on those that are seen.

        What lies outside the source, such as the corners that a rotation uncovers, keeps its fill colour.
        """
        self._recolour.append(change)

    def sketch(self) -> Image:
        """The source image by every few pixels, at least 64 of them per side where there are so many, recoloured."""
        step = max(min(self._image.shape[:2]) // _SKETCH, 1)
        return _recoloured(np.ascontiguousarray(self._image[::step, ::step]), self._recolour)

    def pixels(self) -> Image:
        """The image, (H, W, 3) uint8, with every pending change applied."""
        if self._pending:
            self._image = self._render()
            self._matrix, self._pending, self._scale, self._coarsest = np.eye(3), False, 1.0, 1.0
        else:
            self._image = _recoloured(self._image, self._recolour)
        self._recolour = []
        return self._image

    def _render(self) -> Image:
        width, height = self.size
        share = min(self._coarsest / self._scale, 1.0)
        small = (max(round(width * share), 1), max(round(height * share), 1))
        shrink = np.diag([small[0] / width, small[1] / height, 1.0])
        image = warp(self._image, shrink @ self._matrix, small, self._fill, self._recolour)
        if small == self.size:
            return image
        return np.asarray(cv2.resize(image, self.size, interpolation=cv2.INTER_LINEAR), np.uint8)


def warp(
    image: Image,
    matrix: Matrix,
    size: tuple[int, int],
    fill: tuple[int, int, int] = (0, 0, 0),
    recolour: Sequence[Callable[[Image], Image]] = (),
) -> Image:
    """``image``, recoloured, through ``matrix`` into ``size`` (width, height), bilinear.

    matrix: (3, 3), edge coordinates, source to result.

    Only the part of the source that is seen is read; where the result is less than half as large as the source, that
    part is first averaged down by a whole factor, so that thin strokes do not vanish.
    """
    left, top, right, bottom = _seen(matrix, size, image)
    if right <= left or bottom <= top:
        return np.full((size[1], size[0], 3), fill, np.uint8)
    region = image[top:bottom, left:right]
    matrix = matrix @ translation(left, top)
    factor = _reduction(matrix, size, region)
    if factor > 1:
        reduced = (-(-region.shape[1] // factor), -(-region.shape[0] // factor))
        matrix = matrix @ np.diag([region.shape[1] / reduced[0], region.shape[0] / reduced[1], 1.0])
        region = np.asarray(cv2.resize(region, reduced, interpolation=cv2.INTER_AREA), np.uint8)
    region = _recoloured(region, recolour)
    centred = translation(-0.5, -0.5) @ matrix @ translation(0.5, 0.5)
    if np.allclose(centred[2, :2], 0):
        affine = centred[:2] / centred[2, 2]
        return np.asarray(cv2.warpAffine(region, affine, size, flags=cv2.INTER_LINEAR, borderValue=fill), np.uint8)
    return np.asarray(cv2.warpPerspective(region, centred, size, flags=cv2.INTER_LINEAR, borderValue=fill), np.uint8)


def _recoloured(image: Image, changes: Sequence[Callable[[Image], Image]]) -> Image:
    for change in changes:
        image = change(image)
    return image


def translation(x: float, y: float) -> Matrix:
    """(3, 3) shift by (x, y) pixels."""
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def move_polygon(polygon: Polygon, matrix: Matrix) -> Polygon:
    """(K, 2) points through a (3, 3) matrix."""
    points = np.c_[polygon.astype(np.float64), np.ones(len(polygon))] @ matrix.T
    return np.asarray(points[:, :2] / points[:, 2:], np.float32)


def clip_polygon(polygon: Polygon, width: float, height: float) -> Polygon:
    """The part of a (K, 2) polygon inside [0, width] x [0, height], fewer than 3 points when there is none.

    One side of the window after the other (Sutherland and Hodgman, 1974).
    """
    points = polygon.astype(np.float64)
    for axis, sign, limit in ((0, 1, 0.0), (1, 1, 0.0), (0, -1, -width), (1, -1, -height)):
        inside = sign * points[:, axis] - limit  # >= 0 on the side that is kept
        result = []
        for i, (point, distance) in enumerate(zip(points, inside)):
            before, previous = points[i - 1], inside[i - 1]
            if (distance >= 0) != (previous >= 0):
                result.append(before + (point - before) * previous / (previous - distance))
            if distance >= 0:
                result.append(point)
        points = np.array(result, np.float64).reshape(-1, 2)
    return np.asarray(points, np.float32)


def _corners(width: float, height: float) -> NDArray[np.float64]:
    return np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)


def _seen(matrix: Matrix, size: tuple[int, int], image: Image) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of the source pixels that the result shows, with a margin."""
    points = np.c_[_corners(*size), np.ones(4)] @ np.linalg.inv(matrix).T
    height, width = image.shape[:2]
    if (points[:, 2] <= 0).any():  # the horizon crosses the result
        return 0, 0, width, height
    points = points[:, :2] / points[:, 2:]
    low, high = np.floor(points.min(axis=0)) - _MARGIN, np.ceil(points.max(axis=0)) + _MARGIN
    left, top = np.clip(low, 0, (width, height)).astype(int)
    right, bottom = np.clip(high, 0, (width, height)).astype(int)
    return int(left), int(top), int(right), int(bottom)


def _reduction(matrix: Matrix, size: tuple[int, int], region: Image) -> int:
    """Whole factor by which the source may be averaged down before the warp."""
    centre = np.array([region.shape[1] / 2, region.shape[0] / 2, 1.0])
    bottom = matrix @ centre
    jacobian = (matrix[:2, :2] - np.outer(bottom[:2] / bottom[2], matrix[2, :2])) / bottom[2]
    scale = float(np.sqrt(abs(np.linalg.det(jacobian))))
    if scale <= 0 or not np.isfinite(scale):
        return 1
    return max(min(int(1 / scale), int(region.shape[0]), int(region.shape[1])), 1)
