"""The curve of the learning-rate range test as a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

_SIZE = (900, 560)  # width, height in pixels
_LEFT, _RIGHT, _TOP, _BOTTOM = 80, 870, 40, 500  # the frame
_BLACK, _GREY, _BLUE, _RED = (30, 30, 30), (190, 190, 190), (180, 90, 20), (40, 40, 200)  # BGR
_HEADROOM = 1.5  # the axis ends so far above the first smoothed loss: what diverges leaves the picture


def rate_picture(
    rates: Sequence[float], losses: Sequence[float], smoothed: Sequence[float], suggestion: float | None
) -> bytes:
    """PNG: loss (grey) and smoothed loss (blue) over the rate, on a logarithmic axis; red: the suggestion."""
    width, height = _SIZE
    image = np.full((height, width, 3), 255, np.uint8)
    low = min(smoothed)
    high = low + max((smoothed[0] - low) * _HEADROOM, 0.1 * abs(low), 1e-6)
    first, last = math.log10(rates[0]), math.log10(rates[-1])

    def x_of(rate: float) -> int:
        return round(_LEFT + (_RIGHT - _LEFT) * (math.log10(rate) - first) / max(last - first, 1e-9))

    def y_of(loss: float) -> int:
        share = (loss - low) / (high - low)
        return round(_BOTTOM - (_BOTTOM - _TOP) * (0.05 + 0.95 * min(max(share, -0.05), 1.0)))

    for exponent in range(math.ceil(first - 1e-9), math.floor(last + 1e-9) + 1):
        x = x_of(10.0**exponent)
        cv2.line(image, (x, _TOP), (x, _BOTTOM), _GREY, 1)
        _write(image, f"1e{exponent}", (x - 16, _BOTTOM + 20))
    for loss in (low, (low + high) / 2, high):
        cv2.line(image, (_LEFT, y_of(loss)), (_RIGHT, y_of(loss)), _GREY, 1)
        _write(image, f"{loss:.3g}", (12, y_of(loss) + 5))
    for values, colour, thickness in ((losses, _GREY, 1), (smoothed, _BLUE, 2)):
        points = np.array([(x_of(rate), y_of(value)) for rate, value in zip(rates, values)], np.int32)
        cv2.polylines(image, [points], False, colour, thickness, cv2.LINE_AA)
    if suggestion is not None:
        x = min(max(x_of(suggestion), _LEFT), _RIGHT)
        cv2.line(image, (x, _TOP), (x, _BOTTOM), _RED, 2)
        _write(image, f"try {suggestion:g}", (min(x + 6, _RIGHT - 90), _TOP + 16), _RED)
    cv2.rectangle(image, (_LEFT, _TOP), (_RIGHT, _BOTTOM), _BLACK, 1)
    _write(image, "loss by learning rate (grey: of each step, blue: smoothed)", (_LEFT, 26))
    _write(image, "learning rate", ((_LEFT + _RIGHT) // 2 - 50, _BOTTOM + 44))
    return bytes(cv2.imencode(".png", image)[1])


def _write(image: NDArray[np.uint8], text: str, at: tuple[int, int], colour: tuple[int, int, int] = _BLACK) -> None:
    cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 1, cv2.LINE_AA)
