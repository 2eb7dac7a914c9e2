"""How far a pixel is from the outline of a polygon: the inner loop of DB's threshold map.

Two implementations with the same numbers: numba (fast; installed with the ``train`` extra) and numpy.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ocrtune.core.jit import compiled

Canvas = NDArray[np.float32]
Points = NDArray[np.float32]


def raise_to_border(
    canvas: Canvas, polygon: Points, origin: tuple[int, int], distance: float, low: float = 0.0, high: float = 1.0
) -> None:
    """Raise ``canvas`` in place to ``low + (1 - d / distance) * (high - low)`` where that is larger.

    ``d`` is clipped to ``distance``. canvas: the (h, w) window to draw in, nowhere below ``low``. polygon: (K, 2)
    float32 pixels relative to ``origin``, without equal neighbours; origin: the window's (x, y) minus the polygon's
    origin. distance: pixels, positive.

    ``d`` follows PaddleOCR ppocr/data/imaug/make_border_map.py ``_distance`` at 79f652f5, at which the angle between
    the lines to the two ends of an edge decides: acute (the pixel is far off) gives the distance to the nearer end,
    otherwise the height over the edge. It is not the Euclidean distance, but the weights were trained with it.
    On purpose different: a pixel on a slanted edge has d = 0; rounding gives PaddleOCR the root of a negative number
    there, and the pixel is lost.
    """
    squared = np.square(polygon - np.roll(polygon, -1, axis=0)).astype(np.float32).sum(axis=1, dtype=np.float32)
    corners, span = polygon.astype(np.float64), np.float32(high - low)
    draw = compiled(raise_with_loops, raise_with_numpy)
    draw(canvas, corners, squared.astype(np.float64), *origin, distance, np.float32(low), span)


def raise_with_loops(
    canvas: Canvas,
    polygon: NDArray[np.float64],
    squared: NDArray[np.float64],
    left: int,
    top: int,
    distance: float,
    base: np.float32,
    span: np.float32,
) -> None:
    """:func:`raise_to_border` edge by edge, in the subset of Python that numba compiles.

    An edge can raise only pixels that lie within ``distance`` of it; of each row just these are visited, in a loop
    without branches, which LLVM turns into vector instructions. The height over the edge is written without the
    cosine: with ``excess = edge² - one - two``, ``one * two * (1 - cosine²)`` is ``one * two - excess² / 4``.
    """
    height, width = canvas.shape
    xs = np.arange(left, left + width).astype(np.float64)
    inverse = 1.0 / distance
    for i in range(len(polygon)):
        j = i + 1 if i + 1 < len(polygon) else 0
        ax, ay, bx, by = polygon[i, 0], polygon[i, 1], polygon[j, 0], polygon[j, 1]
        edge, inverse_edge = squared[i], 1.0 / squared[i]
        first = max(int(np.floor(min(ay, by) - distance)) - top, 0)
        last = min(int(np.ceil(max(ay, by) + distance)) - top + 1, height)
        for row in range(first, last):
            y = float(row + top)
            start, end = 0.0, 1.0  # shares of the edge between which it is near enough to this row
            if by != ay:
                one_end, other_end = (y - distance - ay) / (by - ay), (y + distance - ay) / (by - ay)
                start = min(max(min(one_end, other_end), 0.0), 1.0)
                end = min(max(max(one_end, other_end), 0.0), 1.0)
            x_start, x_end = ax + start * (bx - ax), ax + end * (bx - ax)
            low = max(int(np.floor(min(x_start, x_end) - distance)) - left, 0)
            high = min(int(np.ceil(max(x_start, x_end) + distance)) - left + 1, width)
            above_a, above_b = (y - ay) * (y - ay), (y - by) * (y - by)
            line = canvas[row]
            for column in range(low, high):
                x = xs[column]
                one = (x - ax) * (x - ax) + above_a
                two = (x - bx) * (x - bx) + above_b
                excess = edge - one - two
                over_edge = max(one * two - 0.25 * excess * excess, 0.0) * inverse_edge
                length = np.sqrt(min(one, two) if excess < 0.0 else over_edge)
                near = max(np.float32(1.0) - np.float32(length * inverse), np.float32(0.0))
                line[column] = max(line[column], near * span + base)


def raise_with_numpy(
    canvas: Canvas,
    polygon: NDArray[np.float64],
    squared: NDArray[np.float64],
    left: int,
    top: int,
    distance: float,
    base: np.float32,
    span: np.float32,
) -> None:
    """:func:`raise_to_border` edge by edge on the whole window."""
    height, width = canvas.shape
    x = np.arange(left, left + width, dtype=np.float64)[None, :]
    y = np.arange(top, top + height, dtype=np.float64)[:, None]
    ends = [np.square(x - px) + np.square(y - py) for px, py in polygon]
    nearest = np.ones(canvas.shape, np.float32)
    for i, one in enumerate(ends):
        two = ends[(i + 1) % len(ends)]
        product = one * two
        with np.errstate(divide="ignore", invalid="ignore"):
            cosine = (squared[i] - one - two) / (2.0 * np.sqrt(product))
            height_over_edge = np.sqrt(np.maximum(product * (1.0 - cosine * cosine) / squared[i], 0.0))
        length = np.where(cosine < 0.0, np.sqrt(np.minimum(one, two)), height_over_edge)
        length[product == 0.0] = 0.0
        np.minimum(nearest, (length / distance).astype(np.float32), out=nearest)
    np.maximum(canvas, (np.float32(1.0) - nearest) * span + base, out=canvas)
