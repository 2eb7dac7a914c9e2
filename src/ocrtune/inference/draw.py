"""A picture of a prediction: the photo with numbered boxes, and the texts beside it or below it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as PilImage
from PIL import ImageDraw

from ocrtune.core.records import Image, PageText
from ocrtune.inference.fonts import TextFont

SMALLEST, LARGEST = 480, 1600  # pixels of the photo's longer side in the picture
_COLOURS = ((214, 39, 40), (31, 119, 180), (44, 160, 44), (255, 127, 14), (148, 103, 189), (23, 190, 207))
_INK, _PAPER, _FAINT = (20, 20, 20), (255, 255, 255), (130, 130, 130)


def draw_page(image: Image, items: Sequence[PageText], font_path: Path | None = None) -> Image:
    """(H, W, 3) uint8 BGR: the photo with outlined, numbered boxes and the list of texts with their scores.

    image: (H, W, 3) uint8 BGR. The list stands right of a tall photo and below a wide one. Characters that no
    font on this machine can show are drawn as empty boxes and counted in the last line.
    """
    scale = _scale(image)
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    resized = np.asarray(cv2.resize(image, size, interpolation=interpolation), np.uint8)
    photo = PilImage.fromarray(np.ascontiguousarray(resized[:, :, ::-1]))
    font = TextFont([item.text for item in items], font_path)
    _outline(photo, items, scale, font)
    wide = photo.width > 1.6 * photo.height
    panel = _panel(items, font, photo.width if wide else None, None if wide else photo.height)
    width = max(photo.width, panel.width) if wide else photo.width + panel.width
    height = photo.height + panel.height if wide else max(photo.height, panel.height)
    page = PilImage.new("RGB", (width, height), _PAPER)
    page.paste(photo, (0, 0))
    page.paste(panel, (0, photo.height) if wide else (photo.width, 0))
    return np.ascontiguousarray(np.asarray(page, np.uint8)[:, :, ::-1])


def _scale(image: Image) -> float:
    longest = int(max(image.shape[:2]))
    return min(max(SMALLEST / longest, 1.0), LARGEST / longest)


def _outline(photo: PilImage.Image, items: Sequence[PageText], scale: float, font: TextFont) -> None:
    pen = ImageDraw.Draw(photo)
    thickness = max(2, round(max(photo.size) / 500))
    size = max(12, round(max(photo.size) / 60))
    for number, item in enumerate(items, start=1):
        points = [(float(x) * scale, float(y) * scale) for x, y in item.polygon]
        colour = _colour(number)
        pen.line([*points, points[0]], fill=colour, width=thickness, joint="curve")
        label = str(number)
        left, top = min(points, key=lambda p: p[0] + p[1])
        box = pen.textbbox((0, 0), label, font=font.at(size))
        width, height = box[2] + 4, box[3] + 2
        x = min(max(0.0, left - width), photo.width - width)
        y = min(max(0.0, top - height / 2), photo.height - height)
        pen.rectangle((x, y, x + width, y + height), fill=colour)
        pen.text((x + 2, y), label, fill=_PAPER, font=font.at(size))


def _panel(items: Sequence[PageText], font: TextFont, width: int | None, height: int | None) -> PilImage.Image:
    """The list of texts; at least ``width`` wide or ``height`` high, in as many columns as that needs."""
    size = 20
    line, pad = round(size * 1.5), 12
    rows = [(f"{number}", item.text or "(no text)", f"{item.score:.2f}") for number, item in enumerate(items, start=1)]
    if not rows:
        rows = [("", "no text found", "")]
    pen = ImageDraw.Draw(PilImage.new("RGB", (1, 1)))
    number_width = max(_width(pen, number, font, size) for number, _, _ in rows) + pad
    text_width = max(_width(pen, text, font, size) for _, text, _ in rows) + pad
    column = number_width + text_width + _width(pen, "0.00", font, size - 4) + 2 * pad
    notes = _notes(font)
    if width is not None:
        columns = max(1, width // column)
        per_column = -(-len(rows) // columns)
    else:
        per_column = max(1, ((height or line) - 2 * pad - line * len(notes)) // line)
        columns = -(-len(rows) // per_column)
    notes_width = max((_width(pen, note, font, size - 4) for note in notes), default=0) + 2 * pad
    used = min(per_column, len(rows))
    page = PilImage.new(
        "RGB",
        (max(width or 0, columns * column, notes_width), max(height or 0, (used + len(notes)) * line + 2 * pad)),
        _PAPER,
    )
    pen = ImageDraw.Draw(page)
    for i, (number, text, score) in enumerate(rows):
        x, y = (i // per_column) * column + pad, (i % per_column) * line + pad
        pen.text((x, y), number, fill=_colour(i + 1), font=font.at(size))
        pen.text((x + number_width, y), text, fill=_INK, font=font.at(size))
        pen.text((x + number_width + text_width, y + 3), score, fill=_FAINT, font=font.at(size - 4))
    for i, note in enumerate(notes):
        pen.text((pad, page.height - pad - (len(notes) - i) * line), note, fill=_FAINT, font=font.at(size - 4))
    return page


def _notes(font: TextFont) -> list[str]:
    if not font.missing:
        return []
    return [f"{len(font.missing)} characters are not in any font found here; the JSON has them all"]


def _width(pen: ImageDraw.ImageDraw, text: str, font: TextFont, size: int) -> int:
    return round(pen.textlength(text, font=font.at(size)))


def _colour(number: int) -> tuple[int, int, int]:
    return _COLOURS[(number - 1) % len(_COLOURS)]
