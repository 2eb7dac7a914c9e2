"""Metrics over wall time as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

_PANEL = (640, 460)  # width, height in pixels
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 620, 60, 400  # the frame inside a panel
_BLACK, _GREY, _RED = (30, 30, 30), (210, 210, 210), (40, 40, 200)  # BGR
_COLOURS = ((180, 90, 20), (60, 140, 240), (60, 150, 60))


@dataclass(frozen=True)
class Panel:
    """title: above. curves: name -> (seconds, metric 0..1) of each evaluation. target: a metric to mark."""

    title: str
    curves: Mapping[str, Sequence[Sequence[float]]]
    target: float


def picture(panels: Sequence[Panel]) -> bytes:
    """PNG, the panels side by side."""
    return bytes(cv2.imencode(".png", np.hstack([_drawn(panel) for panel in panels]))[1])


def _drawn(panel: Panel) -> NDArray[np.uint8]:
    image = np.full((_PANEL[1], _PANEL[0], 3), 255, np.uint8)
    points = [point for curve in panel.curves.values() for point in curve]
    longest = max(seconds for seconds, _ in points) / 60
    values = [value for _, value in points]
    low, high = min(values), max(values)
    margin = max(0.05 * (high - low), 0.005)
    low, high = low - margin, high + margin

    def place(minutes: float, value: float) -> tuple[int, int]:
        x = _LEFT + (_RIGHT - _LEFT) * minutes / longest
        return round(x), round(_BOTTOM - (_BOTTOM - _TOP) * (value - low) / (high - low))

    step = next(size for size in (1, 2, 5, 10, 20, 60, 120, longest) if longest / size <= 8)
    for minutes in np.arange(0, longest + 1e-9, step):
        x, _ = place(minutes, low)
        cv2.line(image, (x, _TOP), (x, _BOTTOM), _GREY, 1)
        _write(image, f"{minutes:g}", (x - 8, _BOTTOM + 20))
    for value in np.linspace(low + margin, high - margin, 5):
        _, y = place(0, value)
        cv2.line(image, (_LEFT, y), (_RIGHT, y), _GREY, 1)
        _write(image, f"{value:.3f}", (12, y + 5))
    _, y = place(0, panel.target)
    cv2.line(image, (_LEFT, y), (_RIGHT, y), _RED, 1)
    for number, (name, curve) in enumerate(panel.curves.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        corners = [place(seconds / 60, value) for seconds, value in curve]
        cv2.polylines(image, [np.array(corners, np.int32)], False, colour, 2, cv2.LINE_AA)
        for corner in corners:
            cv2.circle(image, corner, 3, colour, -1, cv2.LINE_AA)
        _write(image, name, (_RIGHT - 130, _BOTTOM - 14 - 20 * number), colour)
    cv2.rectangle(image, (_LEFT, _TOP), (_RIGHT, _BOTTOM), _BLACK, 1)
    _write(image, panel.title, (_LEFT, 40))
    _write(image, "minutes since the command was started", (_LEFT + 140, _BOTTOM + 44))
    return image


def _write(image: NDArray[np.uint8], text: str, at: tuple[int, int], colour: tuple[int, int, int] = _BLACK) -> None:
    cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 1, cv2.LINE_AA)
