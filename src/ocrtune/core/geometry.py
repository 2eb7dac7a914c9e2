"""Polygons in pixels, x before y, y down; arrays are (K, 2)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray


def area(points: ArrayLike) -> float:
    """Unsigned area in square pixels (shoelace formula)."""
    corners: list[list[float]] = np.asarray(points, np.float64).tolist()  # of few corners, Python is fastest
    return abs(sum(x * corners[i - 1][1] - y * corners[i - 1][0] for i, (x, y) in enumerate(corners))) / 2


def perimeter(points: ArrayLike) -> float:
    """Length of the closed outline in pixels."""
    corners: list[list[float]] = np.asarray(points, np.float64).tolist()
    return sum(math.dist(corner, corners[i - 1]) for i, corner in enumerate(corners))


def bounding_boxes(polygons: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """(N, 4): left, top, right and bottom of each of the (K, 2) polygons."""
    if not polygons:
        return np.zeros((0, 4), np.float32)
    starts = np.cumsum([0, *(len(polygon) for polygon in polygons[:-1])])
    points = np.concatenate(polygons)
    return np.concatenate([np.minimum.reduceat(points, starts), np.maximum.reduceat(points, starts)], axis=1)


def quad_size(quad: ArrayLike) -> tuple[float, float]:
    """(width, height) in pixels of the upright crop of a quadrilateral: the longer of each pair of sides."""
    q = np.asarray(quad, np.float32)
    width = max(np.linalg.norm(q[0] - q[1]), np.linalg.norm(q[2] - q[3]))
    height = max(np.linalg.norm(q[0] - q[3]), np.linalg.norm(q[1] - q[2]))
    return float(width), float(height)
