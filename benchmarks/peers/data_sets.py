"""The sets of ``bench_data.py``: real pages and crops, picked evenly, pages resized as a case asks for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from peers.made_sets import LabelledSet

_SETS = ("wire_markers", "icdar2015")
_LONGEST_TEXT = 20  # characters: within what every config takes, so that neither stack drops a line
_QUALITY = 92


def page_set(folder: Path, shared: Path, samples: int, longest: int | None) -> LabelledSet:
    """``samples`` pages of both sets, the longest side resized to ``longest`` pixels; None leaves it as it is."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, (data, row) in enumerate(_picked(shared, "train.txt", samples)):
        name, label = row.split("\t", 1)
        source = data / name
        target = folder / f"{number}{source.suffix}"
        scale = _resized(source, target, longest)
        lines.append(f"{target.name}\t{json.dumps(_scaled(json.loads(label), scale), ensure_ascii=False)}\n")
    labels = folder / "pages.txt"
    labels.write_text("".join(lines), encoding="utf-8")
    return LabelledSet(labels, folder, len(lines))


def crop_set(folder: Path, shared: Path, samples: int) -> LabelledSet:
    """``samples`` crops of both sets with labels of 1 to 20 characters."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for data, row in _picked(shared, "rec_train.txt", samples):
        name, text = row.split("\t", 1)
        lines.append(f"{(data / name).relative_to(shared.resolve() / 'data')}\t{text}\n")
    labels = folder / "crops.txt"
    labels.write_text("".join(lines), encoding="utf-8")
    return LabelledSet(labels, shared.resolve() / "data", len(lines))


def _picked(shared: Path, file: str, samples: int) -> Iterator[tuple[Path, str]]:
    """(folder, label line), evenly spaced, equally many of each set."""
    for name in _SETS:
        data = shared.resolve() / "data" / name
        rows = (data / file).read_text(encoding="utf-8").splitlines()
        rows = [row for row in rows if file == "train.txt" or 1 <= len(row.split("\t", 1)[1]) <= _LONGEST_TEXT]
        for index in np.linspace(0, len(rows) - 1, samples // len(_SETS)).astype(int):
            yield data, rows[index]


def _resized(source: Path, target: Path, longest: int | None) -> float:
    """Write ``source`` at its new size to ``target``; the factor."""
    if longest is None:
        target.write_bytes(source.read_bytes())
        return 1.0
    image = cv2.imread(str(source))
    if image is None:
        raise OSError(f"{source} is not an image")
    scale = longest / max(image.shape[:2])
    resized = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(target), resized, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return scale


def _scaled(instances: list[dict[str, Any]], scale: float) -> list[dict[str, Any]]:
    return [{**each, "points": [[round(v * scale) for v in point] for point in each["points"]]} for each in instances]
