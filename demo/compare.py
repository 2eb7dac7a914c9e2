"""Pictures that put photo, base model and fine-tuned model side by side."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image as PilImage
from PIL import ImageDraw

from ocrtune.core.records import Image
from ocrtune.inference.fonts import TextFont
from ocrtune.metrics.detection import match_boxes

_RIGHT, _WRONG, _INK, _PAPER = (20, 140, 50), (205, 30, 30), (20, 20, 20), (255, 255, 255)  # RGB
_TITLE, _TEXT = 20, 15  # pixels
_BAR = 34

Label = Sequence[Mapping[str, Any]]
Size = tuple[float, float]
Box = tuple[float, float, float, float]


def read_predictions(folder: Path) -> dict[str, Label]:
    """The texts of each image in ``predictions.jsonl``, by the image's name."""
    lines = (folder / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    return {record["image"]: record["items"] for record in map(json.loads, lines)}


def side_by_side(image: Image, truth: Label, base: Label, tuned: Label) -> Image:
    """Photo | base | fine-tuned, each with a title, in one picture; green texts are right, red ones are not."""
    plain = _panel(image, "photo", [], [])
    shown = [_panel(image, _title(name, items, truth), items, marks(items, truth)) for name, items in
             (("base model", base), ("fine-tuned", tuned))]  # fmt: skip
    return np.hstack([plain, *shown])


def marks(items: Label, truth: Label) -> list[bool]:
    """Which texts are right: the box fits a label (IoU above 0.5), and the text is the label's, spaces aside."""
    right = []
    for item in items:
        points = np.array(item["points"], np.float32)
        same = [label for label in truth if _bare(label) == _bare(item)]
        boxes = [np.array(label["points"], np.float32) for label in same]
        right.append(match_boxes(boxes, [False] * len(boxes), [points]).matched > 0)
    return right


def _title(name: str, items: Label, truth: Label) -> str:
    return f"{name}: {sum(marks(items, truth))} of {len(truth)} texts right"


def _bare(item: Mapping[str, Any]) -> str:
    return str(item["transcription"]).replace(" ", "")


def _panel(image: Image, title: str, items: Label, right: Sequence[bool]) -> Image:
    height, width = image.shape[:2]
    page = PilImage.new("RGB", (width + 4, height + _BAR), _PAPER)
    page.paste(PilImage.fromarray(np.ascontiguousarray(image[:, :, ::-1])), (2, _BAR))
    pen = ImageDraw.Draw(page)
    font = TextFont([title, *(str(item["transcription"]) for item in items)])
    pen.text((8, 5), title, fill=_INK, font=font.at(_TITLE))
    for item, good in zip(items, right, strict=True):
        colour = _RIGHT if good else _WRONG
        points = [(float(x) + 2, float(y) + _BAR) for x, y in item["points"]]
        pen.line([*points, points[0]], fill=colour, width=2)
    taken = [_box(item) for item in items]
    for item, good in zip(items, right, strict=True):
        colour = _RIGHT if good else _WRONG
        text = str(item["transcription"]) or " "
        box = pen.textbbox((0, 0), text, font=font.at(_TEXT))
        plate = box[2] + 6, box[3] + 3
        x, y = _free_place(item, plate, (width, height), taken)
        taken.append((x, y, x + plate[0], y + plate[1]))
        pen.rectangle((x, y + _BAR, x + plate[0], y + _BAR + plate[1]), fill=colour)
        pen.text((x + 3, y + _BAR + 1), text, fill=_PAPER, font=font.at(_TEXT))
    return np.ascontiguousarray(np.asarray(page, np.uint8)[:, :, ::-1])


def _free_place(item: Mapping[str, Any], plate: Size, page: Size, taken: Sequence[Box]) -> tuple[float, float]:
    """Where a plate with the text goes, left and top: the place at its box that covers least of what is ``taken``."""
    left, top, right, bottom = _box(item)
    across, down = (left, right - plate[0]), (top, bottom - plate[1])
    places = [(x, y) for y in (top - plate[1] - 2, bottom + 2) for x in across]
    places += [(x, y) for x in (right + 3, left - plate[0] - 3) for y in down]
    inside = [(min(max(x, 0), page[0] - plate[0]), min(max(y, 0), page[1] - plate[1])) for x, y in places]
    return min(inside, key=lambda at: sum(_overlap((*at, at[0] + plate[0], at[1] + plate[1]), box) for box in taken))


def _box(item: Mapping[str, Any]) -> Box:
    xs, ys = zip(*((float(x), float(y)) for x, y in item["points"]))
    return min(xs), min(ys), max(xs), max(ys)


def _overlap(a: Box, b: Box) -> float:
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def write_comparison(path: Path, picture: Image) -> None:
    """Save as JPEG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, 90])
