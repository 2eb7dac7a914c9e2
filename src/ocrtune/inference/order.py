"""The order in which a person reads the boxes of a page."""

from __future__ import annotations

from collections.abc import Sequence

from ocrtune.core.records import Polygon

SAME_LINE = 10  # pixels between the first corners of two boxes of one line


def reading_order(polygons: Sequence[Polygon], same_line: float = SAME_LINE) -> list[int]:
    """Indices of ``polygons`` from top to bottom, then from left to right within a line.

    Boxes whose first corners are less than ``same_line`` pixels apart in y count as one line.
    Source: PaddleOCR tools/infer/predict_system.py ``sorted_boxes`` at 79f652f5.
    """
    corners = [(float(polygon[0][0]), float(polygon[0][1])) for polygon in polygons]
    order = sorted(range(len(corners)), key=lambda i: (corners[i][1], corners[i][0]))
    for placed in range(1, len(order)):
        at = placed
        while at > 0 and _belongs_before(corners[order[at]], corners[order[at - 1]], same_line):
            order[at - 1], order[at] = order[at], order[at - 1]
            at -= 1
    return order


def _belongs_before(corner: tuple[float, float], previous: tuple[float, float], same_line: float) -> bool:
    return abs(corner[1] - previous[1]) < same_line and corner[0] < previous[0]
