"""Points of foreign label files."""

from __future__ import annotations

from typing import Any

import numpy as np

from ocrtune.core.errors import Problem
from ocrtune.core.records import Polygon

_LEAST = 3


def polygon_of(points: Any, source: str, problems: list[Problem | str]) -> Polygon | None:
    """(K, 2) float32 pixels from pairs of numbers or of their spellings; None, and a problem noted, otherwise.

    Clockwise from the first point: publishers do not agree on a direction, and a crop along the other one is a mirror
    image.
    """
    try:
        polygon = np.array(points, dtype=float).astype(np.float32)
    except (TypeError, ValueError):
        polygon = np.zeros(0, np.float32)
    if polygon.ndim != 2 or polygon.shape[1] != 2 or len(polygon) < _LEAST or not np.isfinite(polygon).all():
        problems.append(Problem(source, f"expected at least {_LEAST} points x, y, got {points!r:.60}"))
        return None
    return polygon if _turn(polygon) >= 0 else np.concatenate([polygon[:1], polygon[:0:-1]])


def _turn(polygon: Polygon) -> float:
    """Twice the area, negative where the points run counter-clockwise in an image, whose y points down."""
    x, y = (polygon - polygon[0]).T
    return float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))
