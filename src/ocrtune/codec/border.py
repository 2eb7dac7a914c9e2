"""How far a pixel is from the outline of a polygon: the inner loop of DB's threshold map.

Two implementations with the same numbers: numba (fast; installed with the ``train`` extra) and numpy.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Canvas = NDArray[np.float32]
Points = NDArray[np.float32]


def raise_to_border(canvas: Canvas, polygon: Points, origin: tuple[int, int], distance: float) -> None:
    """Raise ``canvas`` in place to ``1 - d / distance`` where that is larger, ``d`` clipped to ``distance``.

    canvas: the (h, w) window to draw in. polygon: (K, 2) float32 pixels relative to ``origin``, without equal
    neighbours; origin: the window's (x, y) minus the polygon's origin. distance: pixels, positive.

    ``d`` follows PaddleOCR ppocr/data/imaug/make_border_map.py ``_distance`` at 79f652f5, at which the angle between
    the lines to the two ends of an edge decides: acute (the pixel is far off) gives the distance to the nearer end,
    otherwise the height over the edge. It is not the Euclidean distance, but the weights were trained with it.
    On purpose different: a pixel on a slanted edge has d = 0; rounding gives PaddleOCR the root of a negative number
    there, and the pixel is lost.
    """
    squared = np.square(polygon - np.roll(polygon, -1, axis=0)).astype(np.float32).sum(axis=1, dtype=np.float32)
    _implementation()(canvas, polygon.astype(np.float64), squared.astype(np.float64), origin[0], origin[1], distance)


@lru_cache(maxsize=1)
def _implementation() -> Callable[..., None]:
    try:
        import numba
    except ImportError:
        return raise_with_numpy
    compiled: Callable[..., None]
    try:
        compiled = numba.njit(cache=True, nogil=True, error_model="numpy")(raise_with_loops)
    except RuntimeError:  # neither the package's folder nor the user's cache folder can be written
        compiled = numba.njit(nogil=True, error_model="numpy")(raise_with_loops)
    return compiled


def raise_with_loops(
    canvas: Canvas,
    polygon: NDArray[np.float64],
    squared: NDArray[np.float64],
    left: int,
    top: int,
    distance: float,
) -> None:
    """:func:`raise_to_border` pixel by pixel, in the subset of Python that numba compiles."""
    corners = len(polygon)
    for row in range(canvas.shape[0]):
        for column in range(canvas.shape[1]):
            x, y = float(column + left), float(row + top)
            nearest = np.float32(1.0)
            for i in range(corners):
                j = i + 1 if i + 1 < corners else 0
                one = (x - polygon[i, 0]) * (x - polygon[i, 0]) + (y - polygon[i, 1]) * (y - polygon[i, 1])
                two = (x - polygon[j, 0]) * (x - polygon[j, 0]) + (y - polygon[j, 1]) * (y - polygon[j, 1])
                if one == 0.0 or two == 0.0:
                    length = 0.0
                else:
                    cosine = (squared[i] - one - two) / (2.0 * np.sqrt(one * two))
                    if cosine < 0.0:
                        length = np.sqrt(min(one, two))
                    else:
                        length = np.sqrt(max(one * two * (1.0 - cosine * cosine) / squared[i], 0.0))
                share = np.float32(length / distance)
                nearest = min(nearest, share)
            canvas[row, column] = max(canvas[row, column], np.float32(1.0) - nearest)


def raise_with_numpy(
    canvas: Canvas,
    polygon: NDArray[np.float64],
    squared: NDArray[np.float64],
    left: int,
    top: int,
    distance: float,
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
    np.maximum(canvas, np.float32(1.0) - nearest, out=canvas)
