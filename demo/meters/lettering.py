"""Printed text on a front, in the font that comes inside Pillow, so that every machine draws the same."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PilImage
from PIL import ImageDraw, ImageFont

Quad = NDArray[np.float32]


def text_size(text: str, size: int, bold: bool = False) -> tuple[int, int]:
    """(width, height) in pixels of the ink of ``text``."""
    left, top, right, bottom = _font(size).getbbox(text, stroke_width=int(bold))
    return int(right - left), int(bottom - top)


def print_text(
    image: NDArray[np.uint8],
    text: str,
    at: tuple[int, int],
    size: int,
    colour: tuple[int, int, int],
    bold: bool = False,
) -> Quad:
    """Print ``text`` with its ink's top-left at ``at`` into an (H, W, 3) image; its quad, a little wider than the ink.

    colour: in the channel order of ``image``.
    """
    left, top, right, bottom = _font(size).getbbox(text, stroke_width=int(bold))
    width, height = int(right - left), int(bottom - top)
    patch = PilImage.new("L", (width, height))
    pen = ImageDraw.Draw(patch)
    pen.text((-left, -top), text, fill=255, font=_font(size), stroke_width=int(bold))
    x, y = at
    region = image[max(y, 0) : y + height, max(x, 0) : x + width]
    ink = np.asarray(patch, np.float32)[max(-y, 0) :, max(-x, 0) :][: region.shape[0], : region.shape[1], None] / 255
    region[:] = np.round(region * (1 - ink) + np.array(colour, np.float32) * ink).astype(np.uint8)
    pad = max(2.0, height * 0.15)
    box = (x - pad, y - pad, x + width + pad, y + height + pad)
    return quad_of(box)


def quad_of(box: tuple[float, float, float, float]) -> Quad:
    """(left, top, right, bottom) as four corners, clockwise from the top-left."""
    left, top, right, bottom = box
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)


@lru_cache(maxsize=64)
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise RuntimeError("this Pillow was built without FreeType; the demo needs it to print labels")
    return font
