"""CopyPaste: texts of another page pasted at free places."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ocrtune.codec.crop import crop_quad
from ocrtune.core.records import Image, Polygon
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
        assert item.draw is not None, "the dataset offers other samples"
        other = item.draw(rng)
        usable = [i for i, p in enumerate(other.polygons) if not other.ignore[i] and len(p) == 4]
        count = max(1, min(int(self.options.objects_paste_ratio * len(other.polygons)), _MOST))
        image = None
        for index in rng.permutation(usable)[:count]:
            patch, mask, outline = _turned(crop_quad(other.image, other.polygons[index]), float(rng.integers(360)))
            corner = self._place(item, patch, outline, rng)
            if corner is None:
                continue
            image = item.image.copy() if image is None else image
            left, top = corner
            target = image[top : top + patch.shape[0], left : left + patch.shape[1]]
            cv2.copyTo(patch, mask, target)
            item.polygons.append(outline + np.array([left, top], np.float32))
            item.texts.append(other.texts[index])
            item.ignore = np.append(item.ignore, False)
        if image is not None:
            item.image = image

    def _place(self, item: Item, patch: Image, outline: Polygon, rng: np.random.Generator) -> tuple[int, int] | None:
        """(left, top) of the patch; None where it does not fit or no free place was found."""
        assert item.canvas is not None
        width, height = item.canvas.size
        right, bottom = width - patch.shape[1], height - patch.shape[0]
        if right < 0 or bottom < 0:
            return None
        low = np.array([p.min(axis=0) for p in item.polygons], np.float32).reshape(-1, 2)
        high = np.array([p.max(axis=0) for p in item.polygons], np.float32).reshape(-1, 2)
        for _ in range(_TRIES):
            corner = np.array([rng.integers(right + 1), rng.integers(bottom + 1)], np.float32)
            first, last = outline.min(axis=0) + corner, outline.max(axis=0) + corner
            if not self.options.limit_paste or not ((high >= first).all(axis=1) & (low <= last).all(axis=1)).any():
                return int(corner[0]), int(corner[1])
        return None


def _turned(crop: Image, degrees: float) -> tuple[Image, Image, Polygon]:
    """(patch, mask of its pixels 0 or 255, outline (4, 2)) of a crop turned about its centre, none of it cut off."""
    height, width = crop.shape[:2]
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    turn: Matrix = np.array([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]])
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    turned = move_polygon(corners, turn)
    low, high = turned.min(axis=0), turned.max(axis=0)
    size = (max(int(np.ceil(high[0] - low[0])), 1), max(int(np.ceil(high[1] - low[1])), 1))
    matrix = (translation(-0.5, -0.5) @ translation(-float(low[0]), -float(low[1])) @ turn @ translation(0.5, 0.5))[:2]
    patch = cv2.warpAffine(crop, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    mask = cv2.warpAffine(np.full((height, width), 255, np.uint8), matrix, size, flags=cv2.INTER_NEAREST)
    return np.asarray(patch, np.uint8), np.asarray(mask, np.uint8), np.asarray(turned - low, np.float32)
