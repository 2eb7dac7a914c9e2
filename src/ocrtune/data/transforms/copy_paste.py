"""CopyPaste: texts of another page pasted at free places."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ocrtune.codec.crop import is_tall, upright
from ocrtune.core.geometry import bounding_boxes
from ocrtune.core.records import Polygon
from ocrtune.data.canvas import Matrix, move_polygon, translation
from ocrtune.data.item import Context, Item
from ocrtune.data.transforms import transforms

_MOST = 30
_TRIES = 50


@dataclass(frozen=True)
class CopyPasteOptions:
    """objects_paste_ratio: share of the other page's texts to paste (at least one, at most 30).
    limit_paste: only where no text is; otherwise anywhere."""

    objects_paste_ratio: float = 0.2
    limit_paste: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.objects_paste_ratio <= 1:
            raise ValueError("objects_paste_ratio must be above 0 and at most 1")


@transforms.register("CopyPaste", CopyPasteOptions)
class CopyPaste:
    """Crop upright, turn by a random angle, paste; quadrilaterals that are not ignored only.

    Source: PaddleOCR ppocr/data/imaug/copy_paste.py at 79f652f5.
    """

    def __init__(self, options: CopyPasteOptions, context: Context):
        self.options = options

    def __call__(self, item: Item, rng: np.random.Generator) -> None:
        if item.draw is None:
            return
        assert item.canvas is not None, "DecodeImage comes first"
        other = item.draw(rng)
        assert other.canvas is not None
        usable = [i for i, p in enumerate(other.polygons) if not other.ignore[i] and len(p) == 4]
        count = max(1, min(int(self.options.objects_paste_ratio * len(other.polygons)), _MOST))
        for index in rng.permutation(usable)[:count]:
            quad = other.polygons[index]
            matrix, outline = _turned(quad, float(rng.integers(360)))
            corner = self._place(item, outline, rng)
            if corner is None:
                continue
            item.canvas.paste(other.canvas, quad, translation(*corner) @ matrix)
            item.polygons.append(outline + np.array(corner, np.float32))
            item.texts.append(other.texts[index])
            item.ignore = np.append(item.ignore, False)

    def _place(self, item: Item, outline: Polygon, rng: np.random.Generator) -> tuple[int, int] | None:
        """(left, top) of the patch; None where it does not fit or no free place was found."""
        assert item.canvas is not None
        width, height = item.canvas.size
        right, bottom = (side - int(np.ceil(length)) for side, length in zip((width, height), outline.max(axis=0)))
        if right < 0 or bottom < 0:
            return None
        corners = rng.integers([right + 1, bottom + 1], size=(_TRIES, 2))
        boxes = bounding_boxes(item.polygons)
        first, last = corners[:, None] + outline.min(axis=0), corners[:, None] + outline.max(axis=0)
        taken = ((boxes[:, 2:] >= first) & (boxes[:, :2] <= last)).all(axis=2).any(axis=1)
        free = np.flatnonzero(~taken | (not self.options.limit_paste))
        return (int(corners[free[0], 0]), int(corners[free[0], 1])) if len(free) else None


def _turned(quad: Polygon, degrees: float) -> tuple[Matrix, Polygon]:
    """``quad``, (4, 2), laid upright and then turned: the (3, 3) map from its page, and its outline from (0, 0)."""
    matrix, (width, height) = upright(quad)
    if is_tall(width, height):  # counter-clockwise, as crops for recognition are
        matrix = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, width], [0.0, 0.0, 1.0]]) @ matrix
        width, height = height, width
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    turn: Matrix = np.array([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]])
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    turned = move_polygon(corners, turn)
    low = turned.min(axis=0)
    return translation(-float(low[0]), -float(low[1])) @ turn @ matrix, np.asarray(turned - low, np.float32)
