"""An image whose geometric changes are collected and then applied in one resampling.

PaddleOCR resamples once per transform (rotate, resize to up to three times the size, crop); composing the same changes
into one warp gives the same geometry at a fraction of the time and without repeated blur. As the pixels are needed
last, a file is decoded only then, and no finer than the result can show.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from ocrtune.core.records import Image, Polygon

Matrix = NDArray[np.float64]
Change: TypeAlias = Callable[[Image], Image]

_IDENTITY: Matrix = np.eye(3)
_MARGIN = 2
_SKETCH = 64
_FLAT = 1e-8  # per pixel: a smaller perspective is none


class Source(Protocol):
    """Where a canvas gets its pixels from."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""

    def read(self, reduction: int) -> tuple[Image, int]:
        """(image, factor): the image averaged down by ``factor``, which is at most ``reduction``."""


@dataclass(frozen=True)
class Pixels:
    """A source that is decoded already: (H, W, 3) uint8."""

    image: Image

    @property
    def size(self) -> tuple[int, int]:
        """See :class:`Source`."""
        return self.image.shape[1], self.image.shape[0]

    def read(self, reduction: int) -> tuple[Image, int]:
        """See :class:`Source`; never reduced."""
        return self.image, 1


@dataclass
class _Patch:
    """A part of another image on the canvas. matrix: (3, 3), from its source to the canvas. outline: (K, 2), of what is
    shown, in pixels of the source; convex. plain: how many changes of colour came before it."""

    source: Source
    matrix: Matrix
    outline: Polygon
    plain: int


class Canvas:
    """An image, a pending projective map of it, and patches of other images on it.

    Coordinates are pixel edges: x runs from 0 to the width, so a scaled point is just multiplied. ``size`` is the
    (width, height) that the image will have once the pending map is applied.
    """

    def __init__(self, image: Image | Source):
        self._source: Source = Pixels(image) if isinstance(image, np.ndarray) else image
        self._clear()

    def _clear(self) -> None:
        self._matrix: Matrix = _IDENTITY
        self._size: tuple[int, int] | None = None
        self._scale = 1.0
        self._coarsest = 1.0
        self._fill: tuple[int, int, int] = (0, 0, 0)
        self._recolour: list[Callable[[Image], Change]] = []
        self._patches: list[_Patch] = []

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels, all changes included."""
        return self._size or self._source.size

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
        change = np.asarray(matrix, np.float64)
        self._matrix = change @ self._matrix
        for patch in self._patches:
            patch.matrix = change @ patch.matrix
        self._scale *= scale
        self._coarsest = min(self._coarsest, self._scale)
        self._fill = self._fill if fill is None else fill
        self._size = size

    def paste(self, other: Canvas, outline: Polygon, matrix: Matrix) -> None:
        """Lay the part of ``other`` inside ``outline``, (K, 2) convex, on this canvas, moved by ``matrix`` (3, 3)."""
        self._patches.append(_Patch(other._as_source(), matrix, outline, len(self._recolour)))
        self._size = self.size

    def recolour(self, plan: Callable[[Image], Change]) -> None:
        """Add a change of each pixel by itself; it is made when the pixels are asked for, on those that are seen.

        plan: gives the change, shown a sketch of the source: every few pixels of it, at least 64 per side where there
        are so many, changed as far as planned before. What lies outside the source, such as the corners that a
        rotation uncovers, keeps its fill colour.
        """
        self._recolour.append(plan)

    def pixels(self, frame: tuple[int, int] | None = None) -> Image:
        """The image, (H, W, 3) uint8, with every pending change applied.

        frame: (width, height), at least the image's, of a larger black image to put it in, at the top left.
        """
        if self._size is not None or self._recolour or frame is not None:
            width, height = self.size
            image = np.zeros((*(frame or self.size)[::-1], 3), np.uint8)
            self._render(image[:height, :width])
            self._source = Pixels(image)
            self._clear()
        return self._source.read(1)[0]

    def _as_source(self) -> Source:
        return self._source if self._size is None and not self._recolour else Pixels(self.pixels())

    def _render(self, target: Image) -> None:
        width, height = self.size
        share = min(self._coarsest / self._scale, 1.0)
        small = (max(round(width * share), 1), max(round(height * share), 1))
        shrink = np.diag([small[0] / width, small[1] / height, 1.0])
        image = target if small == self.size else np.empty((small[1], small[0], 3), np.uint8)
        matrix = shrink @ self._matrix
        middle = np.linalg.inv(matrix) @ [small[0] / 2, small[1] / 2, 1.0]
        page, factor = self._source.read(reduction(matrix, self._source.size, middle[:2] / middle[2]))
        changes = self._changes(page)
        warp(page, matrix @ np.diag([factor, factor, 1.0]), image, self._fill, changes)
        for patch in self._patches:
            _lay(patch, shrink @ patch.matrix, image, changes[patch.plain :])
        if image is not target:
            target[:] = cv2.resize(image, self.size, interpolation=cv2.INTER_LINEAR)

    def _changes(self, page: Image) -> list[Change]:
        if not self._recolour:
            return []
        step = max(min(page.shape[:2]) // _SKETCH, 1)
        sketch = np.ascontiguousarray(page[::step, ::step])
        changes = []
        for plan in self._recolour:
            change = plan(sketch)
            sketch = change(sketch)
            changes.append(change)
        return changes


def _lay(patch: _Patch, matrix: Matrix, image: Image, changes: Sequence[Change]) -> None:
    """Draw ``patch``, moved by ``matrix``, on ``image``."""
    outline = move_polygon(patch.outline, matrix)
    low = np.maximum(np.floor(outline.min(axis=0)), 0).astype(int)
    high = np.minimum(np.ceil(outline.max(axis=0)), (image.shape[1], image.shape[0])).astype(int)
    width, height = (int(side) for side in high - low)
    if width <= 0 or height <= 0:
        return
    matrix = translation(-float(low[0]), -float(low[1])) @ matrix
    pixels, factor = patch.source.read(reduction(matrix, patch.source.size, patch.outline.mean(axis=0)))
    drawn = np.empty((height, width, 3), np.uint8)
    warp(pixels, matrix @ np.diag([factor, factor, 1.0]), drawn, None, changes)
    mask = np.zeros((height, width), np.uint8)
    cv2.fillConvexPoly(mask, np.round(outline - low - 0.5).astype(np.int32), 255)
    cv2.copyTo(drawn, mask, image[low[1] : high[1], low[0] : high[0]])


def warp(
    image: Image,
    matrix: Matrix,
    target: Image,
    fill: tuple[int, int, int] | None = (0, 0, 0),
    recolour: Sequence[Change] = (),
) -> None:
    """``image``, recoloured, through ``matrix`` into all of ``target``, bilinear.

    matrix: (3, 3), edge coordinates, source to result. fill: colour where ``image`` has no pixel; None repeats its
    edge there.

    Only the part of the source that is seen is read; where the result is less than half as large as the source, that
    part is first averaged down by a whole factor, so that thin strokes do not vanish.
    """
    height, width = target.shape[:2]
    left, top, right, bottom = _seen(matrix, (width, height), image)
    if fill is None:
        left, right = min(left, image.shape[1] - 1), max(right, 1)
        top, bottom = min(top, image.shape[0] - 1), max(bottom, 1)
    elif right <= left or bottom <= top:
        target[:] = fill
        return
    region = image[top:bottom, left:right]
    matrix = matrix @ translation(left, top)
    factor = reduction(matrix, (region.shape[1], region.shape[0]))
    if factor > 1:
        reduced = (-(-region.shape[1] // factor), -(-region.shape[0] // factor))
        matrix = matrix @ np.diag([region.shape[1] / reduced[0], region.shape[0] / reduced[1], 1.0])
        region = np.asarray(cv2.resize(region, reduced, interpolation=cv2.INTER_AREA), np.uint8)
    for change in recolour:
        region = change(region)
    centred = translation(-0.5, -0.5) @ matrix @ translation(0.5, 0.5)
    # OpenCV 5 warps four channels more than twice as fast as three, to the same values
    region = np.asarray(cv2.cvtColor(region, cv2.COLOR_BGR2BGRA), np.uint8)
    mode = {"borderMode": cv2.BORDER_REPLICATE} if fill is None else {"borderValue": fill}
    if np.abs(centred[2, :2]).max() < _FLAT:
        affine = centred[:2] / centred[2, 2]
        warped = cv2.warpAffine(region, affine, (width, height), flags=cv2.INTER_LINEAR, **mode)
    else:
        warped = cv2.warpPerspective(region, centred, (width, height), flags=cv2.INTER_LINEAR, **mode)
    cv2.cvtColor(warped, cv2.COLOR_BGRA2BGR, dst=target)


def translation(x: float, y: float) -> Matrix:
    """(3, 3) shift by (x, y) pixels."""
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def move_polygon(polygon: Polygon, matrix: Matrix) -> Polygon:
    """(K, 2) points through a (3, 3) matrix."""
    points = polygon.astype(np.float64) @ matrix[:, :2].T + matrix[:, 2]
    return np.asarray(points[:, :2] / points[:, 2:], np.float32)


def move_polygons(polygons: Sequence[Polygon], matrix: Matrix) -> list[Polygon]:
    """Each of the (K, 2) polygons through a (3, 3) matrix."""
    if not polygons:
        return []
    moved = move_polygon(np.concatenate(polygons), matrix)
    ends = np.cumsum([len(polygon) for polygon in polygons]).tolist()
    return [moved[start:end] for start, end in zip([0, *ends], ends)]


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


def reduction(matrix: Matrix, size: tuple[int, int], at: NDArray[np.floating] | None = None) -> int:
    """Whole factor by which a source of ``size`` (width, height) may be averaged down before ``matrix`` takes it on.

    at: the point of the source that decides, (2,) pixels; its middle when None.
    """
    centre = np.array([*(np.array(size) / 2 if at is None else at), 1.0])
    bottom = matrix @ centre
    jacobian = (matrix[:2, :2] - np.outer(bottom[:2] / bottom[2], matrix[2, :2])) / bottom[2]
    scale = float(np.sqrt(abs(jacobian[0, 0] * jacobian[1, 1] - jacobian[0, 1] * jacobian[1, 0])))
    if scale <= 0 or not np.isfinite(scale):
        return 1
    return max(min(int(1 / scale), *size), 1)
