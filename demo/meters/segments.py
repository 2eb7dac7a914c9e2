"""Seven-segment digits as polygons. Points are pixels, x before y, y down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32]
Mask = NDArray[np.uint8]

# Segments a (top), b, c (right), d (bottom), e, f (left), g (middle).
LIT = {
    "0": "abcdef", "1": "bc", "2": "abged", "3": "abgcd", "4": "fgbc", "5": "afgcd", "6": "afgedc", "7": "abc",
    "8": "abcdefg", "9": "abcdfg", "-": "g", " ": "",
}  # fmt: skip
_FRACTION_BITS = 4


@dataclass(frozen=True)
class Shape:
    """How one make forms its digits; lengths are shares of the digit's width.

    height: of a digit. thickness: of a segment. gap: between segments. pitch: from digit to digit. slant: sideways
    per unit of height. dot: diameter of the decimal point. hooked_seven: the 7 has its upper left segment.
    """

    ends: Literal["pointed", "mitred", "blunt"]
    height: float
    thickness: float
    gap: float
    pitch: float
    slant: float
    dot: float
    round_dot: bool
    hooked_seven: bool


@dataclass(frozen=True)
class Segments:
    """The polygons of a value, lit and unlit."""

    lit: tuple[Points, ...]
    unlit: tuple[Points, ...]

    def box(self) -> tuple[float, float, float, float]:
        """(left, top, right, bottom) around what is lit."""
        points = np.concatenate(self.lit)
        (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
        return float(left), float(top), float(right), float(bottom)


def display_size(shape: Shape, places: int) -> tuple[float, float]:
    """(width, height) of a display of so many places, for digits one pixel wide."""
    width = shape.pitch * (places - 1) + 1 + shape.thickness + shape.dot * 1.5
    return width + abs(shape.slant) * shape.height, shape.height + shape.thickness


def layout(text: str, places: int, shape: Shape, left: float, top: float, width: float) -> Segments:
    """The segments of ``text``, right-aligned in ``places``; decimal points take no place of their own.

    left, top: of the display's area (see :func:`display_size`). width: of one digit. Pixels.
    """
    characters, dots = _places(text, places)
    lit: list[Points] = []
    unlit: list[Points] = []
    for i, character in enumerate(characters):
        origin = np.array([left + width * (shape.pitch * i + shape.thickness / 2), top + width * shape.thickness / 2])
        on = LIT[character] + ("f" if character == "7" and shape.hooked_seven else "")
        for name, points in _digit(shape).items():
            (lit if name in on else unlit).append(_placed(points, shape, origin, width))
        (lit if dots[i] else unlit).append(_placed(_dot(shape), shape, origin, width))
    return Segments(tuple(lit), tuple(unlit))


def fill(mask: Mask, polygons: tuple[Points, ...], level: int = 255) -> None:
    """Draw polygons into an (H, W) uint8 mask, smooth edges."""
    for points in polygons:
        fixed = np.round(points * (1 << _FRACTION_BITS)).astype(np.int32)
        cv2.fillPoly(mask, [fixed], level, cv2.LINE_AA, _FRACTION_BITS)


def _places(text: str, places: int) -> tuple[str, list[bool]]:
    characters, dots = "", []
    for character in text:
        if character == ".":
            dots[-1] = True
        else:
            characters += character
            dots.append(False)
    empty = places - len(characters)
    if empty < 0:
        raise ValueError(f"'{text}' does not fit into {places} places")
    return " " * empty + characters, [False] * empty + dots


def _placed(points: Points, shape: Shape, origin: NDArray[np.float64], width: float) -> Points:
    slanted = points.astype(np.float64)
    slanted[:, 0] += shape.slant * (shape.height - slanted[:, 1])
    return np.asarray(slanted * width + origin, np.float32)


def _digit(shape: Shape) -> dict[str, Points]:
    """The seven polygons of a digit whose segments' middle lines span 1 x height."""
    h, t, gap = shape.height, shape.thickness / 2, shape.gap
    a = np.array(_bar(shape, 1.0), np.float32)
    upright = np.array(_bar(shape, h / 2), np.float32)[:, ::-1]
    mirrored = upright * (-1, 1)
    middle = np.array([[gap, 0], [gap + t, -t], [1 - gap - t, -t], [1 - gap, 0], [1 - gap - t, t], [gap + t, t]])
    if shape.ends == "blunt":
        middle = np.array([[gap + t, -t], [1 - gap - t, -t], [1 - gap - t, t], [gap + t, t]])
    return {
        "a": a,
        "b": mirrored + np.array((1, 0)),
        "c": mirrored + np.array((1, h / 2)),
        "d": a * (1, -1) + np.array((0, h)),
        "e": upright + np.array((0, h / 2)),
        "f": upright,
        "g": middle + np.array((0, h / 2)),
    }


def _bar(shape: Shape, length: float) -> list[list[float]]:
    """A segment along x from 0 to ``length``; y grows into the digit."""
    t, gap = shape.thickness / 2, shape.gap
    if shape.ends == "blunt":
        return [[gap + t, -t], [length - gap - t, -t], [length - gap - t, t], [gap + t, t]]
    if shape.ends == "pointed":
        return [[gap, 0], [gap + t, -t], [length - gap - t, -t], [length - gap, 0], [length - gap - t, t], [gap + t, t]]
    # 45 degree mitre at the outer corner; at the middle bar both uprights end alike
    return [[gap - t, -t], [length - gap + t * 0.4, -t], [length - gap - t, t], [gap + t, t]]


def _dot(shape: Shape) -> Points:
    """The decimal point, right below the digit."""
    centre = np.array([1 + max((shape.pitch - 1) / 2, shape.thickness / 2 + shape.dot / 2), shape.height])
    corners = 12 if shape.round_dot else 4
    turn = (np.arange(corners) + 0.5) * 2 * np.pi / corners
    radius = shape.dot / 2 * (1 if shape.round_dot else 1.3)
    return np.asarray(centre + radius * np.stack([np.cos(turn), np.sin(turn)], axis=1), np.float32)
