"""One display: glass, unlit and lit segments, their glow or shadow, and what the glass reflects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from meters.lettering import Quad, quad_of
from meters.segments import Mask, Shape, display_size, fill, layout

Colour = tuple[int, int, int]  # BGR
_LED_COLOURS: tuple[Colour, ...] = ((40, 40, 255), (60, 255, 90), (30, 160, 255), (255, 150, 60), (240, 240, 235))
_LCD_GLASS: tuple[Colour, ...] = ((130, 158, 150), (150, 172, 160), (168, 178, 178), (190, 150, 92), (120, 190, 150))
_LABEL_PAD = 0.10  # of the digits' height


@dataclass(frozen=True)
class Make:
    """The look of one make of display. ghost: how visible unlit segments are, as a share of the lit ones' contrast.

    contrast: of lit segments, 0..1. glow: LED only, 0..1.
    """

    technology: Literal["lcd", "led"]
    shape: Shape
    glass: Colour
    colour: Colour
    contrast: float
    ghost: float
    glow: float


def draw_make(rng: np.random.Generator) -> Make:
    """A make of display, at random."""
    led = rng.random() < 0.5
    ends: Literal["pointed", "mitred", "blunt"] = ("pointed", "mitred", "blunt")[rng.choice(3, p=(0.45, 0.35, 0.2))]
    shape = Shape(
        ends=ends,
        height=rng.uniform(1.75, 2.3),
        thickness=rng.uniform(0.1, 0.28),
        gap=rng.uniform(0.03, 0.16),
        pitch=rng.uniform(1.42, 1.9),
        slant=float(rng.choice((0.0, rng.uniform(0.08, 0.3)), p=(0.2, 0.8))),
        dot=rng.uniform(0.17, 0.27),
        round_dot=bool(rng.random() < 0.6),
        hooked_seven=bool(rng.random() < 0.25),
    )
    if led:
        colour = _LED_COLOURS[rng.choice(len(_LED_COLOURS), p=(0.45, 0.2, 0.15, 0.1, 0.1))]
        red, green, blue = (int(rng.integers(14, 40)) for _ in range(3))
        tint = rng.uniform(0.0, 0.14)
        glass = tuple(int(base + tint * channel) for base, channel in zip((blue, green, red), colour))
        return Make("led", shape, glass, colour, rng.uniform(0.7, 1), rng.uniform(0.06, 0.42), rng.uniform(0.1, 0.7))
    base = _LCD_GLASS[rng.integers(len(_LCD_GLASS))]
    glass = tuple(int(np.clip(channel + rng.integers(-14, 15), 0, 255)) for channel in base)
    ink = tuple(int(channel * rng.uniform(0.1, 0.25)) for channel in base)
    return Make("lcd", shape, glass, ink, rng.uniform(0.45, 0.95), rng.uniform(0.06, 0.42), 0.0)


def display_box(make: Make, places: int, height: int) -> tuple[int, int]:
    """(width, height) in pixels of the glass for digits ``height`` pixels high."""
    width, tall = display_size(make.shape, places)
    digit = height / tall
    return round(width * digit + height * 0.5), round(height * 1.5)


def draw_display(
    image: NDArray[np.uint8],
    at: tuple[int, int],
    text: str,
    places: int,
    height: int,
    make: Make,
    rng: np.random.Generator,
) -> Quad:
    """Draw a display whose digits are ``height`` pixels high, its glass's top-left at ``at``; the quad of the value."""
    x, y = at
    width, tall = display_box(make, places, height)
    digit = height / display_size(make.shape, places)[1]
    segments = layout(text, places, make.shape, height * 0.25, height * 0.25, digit)
    lit, unlit = np.zeros((tall, width), np.uint8), np.zeros((tall, width), np.uint8)
    fill(lit, segments.lit)
    fill(unlit, segments.unlit)
    glass = _glass(make, tall, width, rng)
    draw = _led if make.technology == "led" else _lcd
    surface = _reflection(draw(glass, lit, unlit, make, height), make, rng)
    image[y : y + tall, x : x + width] = np.clip(surface, 0, 255).astype(np.uint8)
    left, top, right, bottom = segments.box()
    pad = _LABEL_PAD * height
    return quad_of((x + left - pad, y + top - pad, x + right + pad, y + bottom + pad))


def _glass(make: Make, height: int, width: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """The empty glass: uneven light, and the shadow of the bezel above it."""
    light = cv2.resize(rng.uniform(0.9, 1.1, (2, 3)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    depth = max(2.0, height * rng.uniform(0.03, 0.1))
    rows = np.arange(height, dtype=np.float32)[:, None]
    shadow = 1 - rng.uniform(0.15, 0.5) * np.exp(-rows / depth)
    return np.asarray((light * shadow)[:, :, None] * np.array(make.glass, np.float32), np.float32)


def _lcd(glass: NDArray[np.float32], lit: Mask, unlit: Mask, make: Make, height: int) -> NDArray[np.float32]:
    """Dark segments, a faint shadow of them on the reflector behind, and the unlit ones just visible."""
    shift = max(1, round(height * 0.035))
    shadow = cv2.GaussianBlur(np.roll(lit, (shift, shift), (0, 1)), (0, 0), shift * 0.6).astype(np.float32) / 255
    ink = np.maximum(lit.astype(np.float32), unlit.astype(np.float32) * make.ghost) / 255 * make.contrast
    cover = np.maximum(ink, shadow * 0.18)[:, :, None]
    return np.asarray(glass * (1 - cover) + np.array(make.colour, np.float32) * cover, np.float32)


def _led(glass: NDArray[np.float32], lit: Mask, unlit: Mask, make: Make, height: int) -> NDArray[np.float32]:
    """Bright segments that bleach in the middle, their glow, and the unlit ones as dull plastic."""
    on = lit.astype(np.float32)[:, :, None] / 255
    colour = np.array(make.colour, np.float32)
    dull = unlit.astype(np.float32)[:, :, None] / 255 * make.ghost
    surface = glass * (1 - dull) + (colour * 0.45 + 60) * dull
    core = cv2.GaussianBlur(lit, (0, 0), max(1.0, height * 0.03)).astype(np.float32)[:, :, None] / 255
    halo = cv2.GaussianBlur(lit, (0, 0), max(1.5, height * 0.12)).astype(np.float32)[:, :, None] / 255
    bleached = colour + (255 - colour) * 0.45 * core**3
    surface = surface * (1 - on) + bleached * make.contrast * on
    return np.asarray(surface + colour * make.glow * (0.5 * halo + 0.25 * core) * (1 - 0.7 * on), np.float32)


def _reflection(surface: NDArray[np.float32], make: Make, rng: np.random.Generator) -> NDArray[np.float32]:
    """A window or a lamp mirrored in the glass."""
    if rng.random() < 0.35:
        return surface
    height, width = surface.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    middle, breadth = rng.uniform(0, width), rng.uniform(0.08, 0.4) * width
    lean = rng.uniform(-0.8, 0.8) * height
    if rng.random() < 0.6:
        corners = [
            (middle - breadth, -2),
            (middle + breadth, -2),
            (middle + breadth + lean, height),
            (middle - breadth + lean, height),
        ]
        cv2.fillPoly(mask, [np.array(corners, np.int32)], 255)
    else:
        axes = (max(2, int(breadth)), max(2, int(height * rng.uniform(0.15, 0.4))))
        cv2.ellipse(mask, (int(middle), int(rng.uniform(0, height))), axes, rng.uniform(-20, 20), 0, 360, 255, -1)
    soft = cv2.GaussianBlur(mask, (0, 0), rng.uniform(1.0, 0.15 * height + 1.5)).astype(np.float32)[:, :, None] / 255
    strength = rng.uniform(0.08, 0.5 if make.technology == "led" else 0.6)
    return np.asarray(surface + (np.array((250, 246, 240), np.float32) - surface) * soft * strength, np.float32)
