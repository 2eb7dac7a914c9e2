"""Polygons in pixels, x before y, y down; arrays are (K, 2)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def area(points: ArrayLike) -> float:
    """Unsigned area in square pixels (shoelace formula)."""
    x, y = np.asarray(points, np.float64).T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def perimeter(points: ArrayLike) -> float:
    """Length of the closed outline in pixels."""
    p = np.asarray(points, np.float64)
    return float(np.linalg.norm(p - np.roll(p, -1, axis=0), axis=1).sum())


def quad_size(quad: ArrayLike) -> tuple[float, float]:
    """(width, height) in pixels of the upright crop of a quadrilateral: the longer of each pair of sides."""
    q = np.asarray(quad, np.float32)
    width = max(np.linalg.norm(q[0] - q[1]), np.linalg.norm(q[2] - q[3]))
    height = max(np.linalg.norm(q[0] - q[3]), np.linalg.norm(q[1] - q[2]))
    return float(width), float(height)
