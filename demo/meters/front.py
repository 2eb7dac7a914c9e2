"""The flat front of a meter: housing, bezel, displays, units, keys and small print, with the quads of all texts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from meters.display import Colour, Make, display_box, draw_display, draw_make
from meters.lettering import Quad, print_text, text_size
from meters.readings import MAKERS, QUANTITIES, Quantity, reading, small_print

_HOUSINGS: tuple[Colour, ...] = (
    (46, 44, 44), (222, 224, 226), (196, 206, 212), (92, 74, 58), (150, 148, 146), (30, 60, 110), (178, 190, 200),
)  # fmt: skip
_MOST_WIDTH = 470  # pixels of a display with its unit


@dataclass(frozen=True)
class Text:
    """A text on a front or a photo. value: shown by a display, not printed. quad: (4, 2) from the top-left."""

    text: str
    quad: Quad
    value: bool


@dataclass
class Front:
    """image: (H, W, 3) uint8 BGR. ink: colour of its print."""

    image: NDArray[np.uint8]
    ink: Colour
    texts: list[Text] = field(default_factory=list)

    def print(self, text: str, at: tuple[int, int], size: int, bold: bool = False) -> None:
        """Print a text with its top-left at ``at``, and label it."""
        self.texts.append(Text(text, print_text(self.image, text, at, size, self.ink, bold), value=False))


@dataclass(frozen=True)
class _Row:
    """One display. height: of its digits. size: (width, height) of its glass. Pixels."""

    quantity: Quantity
    value: str
    make: Make
    height: int
    size: tuple[int, int]
    unit_size: int

    @property
    def width(self) -> int:
        """Of display and unit together."""
        return self.size[0] + 16 + text_size(self.quantity.unit, self.unit_size, True)[0]


def draw_front(rng: np.random.Generator) -> Front:
    """A meter with one to three displays."""
    rows = _rows(rng)
    header, footer = int(rng.integers(44, 70)), int(rng.integers(36, 80))
    gap, side = int(rng.integers(32, 42)), int(rng.integers(22, 48))
    width = max(max(row.width for row in rows) + 2 * side, 260)
    height = header + footer + sum(row.size[1] + gap for row in rows)
    front = _housing(rng, height, width)
    _header(front, rng, side)
    top = header
    for row in rows:
        _display(front, row, (side, top + gap - 6), rng)
        top += gap + row.size[1]
    _footer(front, rng, side, top + 14, height - 14)
    return front


def _rows(rng: np.random.Generator) -> list[_Row]:
    """What the displays show; several of them are of one make and have equally many places."""
    count = int(rng.choice((1, 2, 3), p=(0.3, 0.25, 0.45)))
    quantities = [QUANTITIES[i] for i in rng.choice(len(QUANTITIES), count, replace=False)]
    make = draw_make(rng)
    height = int(rng.integers(54, 96) if count == 1 else rng.integers(36, 52))
    places = max(quantity.digits for quantity in quantities)
    rows = []
    for quantity in quantities:
        value = reading(rng, quantity)
        quantity = replace(quantity, digits=places)
        unit_size = int(rng.integers(17, 25))
        widest = _MOST_WIDTH - 20 - text_size(quantity.unit, unit_size, True)[0]
        shown = height
        while display_box(make, places, shown)[0] > widest:
            shown -= 2
        rows.append(_Row(quantity, value, make, shown, display_box(make, places, shown), unit_size))
    return rows


def _housing(rng: np.random.Generator, height: int, width: int) -> Front:
    colour = _HOUSINGS[rng.integers(len(_HOUSINGS))]
    grain = rng.normal(0, 2.0, (height // 2 + 1, width // 2 + 1)).astype(np.float32)
    grain = cv2.resize(grain, (width, height), interpolation=cv2.INTER_LINEAR)
    image = np.clip(np.array(colour, np.float32) + grain[:, :, None], 0, 255).astype(np.uint8)
    light, dark = _shade(colour, 1.25, 14), _shade(colour, 0.6, 0)
    cv2.rectangle(image, (0, 0), (width - 1, height - 1), dark, 3)
    cv2.line(image, (3, 3), (width - 4, 3), light, 2)
    cv2.line(image, (3, 3), (3, height - 4), light, 2)
    if rng.random() < 0.5:
        for x in (14, width - 15):
            for y in (14, height - 15):
                _screw(image, (x, y), rng)
    level = int(rng.integers(15, 70)) if sum(colour) > 360 else int(rng.integers(195, 245))
    return Front(image, (level, level, level))


def _screw(image: NDArray[np.uint8], centre: tuple[int, int], rng: np.random.Generator) -> None:
    cv2.circle(image, centre, 6, (70, 72, 74), -1, cv2.LINE_AA)
    cv2.circle(image, centre, 5, (150, 154, 156), -1, cv2.LINE_AA)
    turn = rng.uniform(0, np.pi)
    reach = (round(4 * np.cos(turn)), round(4 * np.sin(turn)))
    ends = [(centre[0] + sign * reach[0], centre[1] + sign * reach[1]) for sign in (-1, 1)]
    cv2.line(image, ends[0], ends[1], (60, 62, 64), 1, cv2.LINE_AA)


def _header(front: Front, rng: np.random.Generator, side: int) -> None:
    """The maker's name on the left, a rating on the right where there is room."""
    left = max(side, 26)
    maker, size = str(rng.choice(MAKERS)), int(rng.integers(18, 25))
    front.print(maker, (left, 18), size, bold=True)
    text, small = small_print(rng), int(rng.integers(15, 19))
    right = front.image.shape[1] - left - text_size(text, small)[0]
    if right > left + text_size(maker, size, True)[0] + 20:
        front.print(text, (right, 22), small)


def _display(front: Front, row: _Row, at: tuple[int, int], rng: np.random.Generator) -> None:
    """A display in its bezel, the title above, the unit to the right."""
    (left, top), (width, height) = at, row.size
    title = int(rng.integers(14, 18))
    front.print(row.quantity.title, (left, top - title - 5), title)
    rim, shade = int(rng.integers(3, 8)), int(rng.integers(18, 60))
    corners = (left - rim, top - 2), (left + width + rim, top + height + rim)
    cv2.rectangle(front.image, corners[0], corners[1], (shade, shade, shade), -1)
    cv2.rectangle(front.image, corners[0], corners[1], (shade + 40,) * 3, 1)
    quad = draw_display(front.image, at, row.value, row.quantity.digits, row.height, row.make, rng)
    front.texts.append(Text(row.value, quad, value=True))
    tall = text_size(row.quantity.unit, row.unit_size, True)[1]
    below = int(rng.uniform(0.35, 0.8) * (height - tall))
    front.print(row.quantity.unit, (left + width + rim + 7, top + below), row.unit_size, bold=True)


def _footer(front: Front, rng: np.random.Generator, left: int, top: int, bottom: int) -> None:
    """Keys or ratings below the displays, as far as there is room."""
    if bottom - top >= 34 and rng.random() < 0.6:
        _keys(front, rng, left, top + 8)
        return
    size = int(rng.integers(14, 18))
    x = max(left, 26)
    while True:
        text = small_print(rng)
        right = x + text_size(text, size)[0]
        if right > front.image.shape[1] - 26 or top + size + 4 > bottom:
            return
        front.print(text, (x, top), size)
        x = right + int(rng.integers(22, 60))


def _keys(front: Front, rng: np.random.Generator, left: int, top: int) -> None:
    colour = int(rng.integers(60, 170))
    for i in range(int(rng.integers(2, 5))):
        x, y = left + 20 + 44 * i, top + 12
        if x > front.image.shape[1] - 30:
            return
        cv2.circle(front.image, (x, y + 1), 13, (25, 25, 25), -1, cv2.LINE_AA)
        cv2.circle(front.image, (x, y), 12, (colour, colour, colour), -1, cv2.LINE_AA)
        cv2.circle(front.image, (x - 2, y - 3), 7, (min(colour + 22, 255),) * 3, -1, cv2.LINE_AA)


def _shade(colour: Colour, factor: float, plus: int) -> Colour:
    blue, green, red = (int(min(255, channel * factor + plus)) for channel in colour)
    return blue, green, red
