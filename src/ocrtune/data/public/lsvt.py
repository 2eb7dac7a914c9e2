"""ICDAR 2019 LSVT: one JSON file, ``{"gt_1": [{"transcription", "points", "illegibility"}, ...], ...}``.

Source: https://ai.baidu.com/broad/introduction?dataset=lsvt; the image of ``gt_1`` is ``gt_1.jpg``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ocrtune.core.errors import DataError, Problem
from ocrtune.core.records import Sample, TextInstance
from ocrtune.data.formats.paddle_det import IGNORED_TEXTS
from ocrtune.data.public.images import ImageIndex
from ocrtune.data.public.polygons import polygon_of


def read(labels: Path, images: ImageIndex) -> list[Sample]:
    """Every page of the file; illegible texts are ignored ones. One DataError with every bad entry."""
    problems: list[Problem | str] = []
    samples = []
    for key, entries in _load(labels).items():
        source = f"{labels} {key}"
        image = images.find(key, source, problems)
        if not isinstance(entries, list):
            problems.append(Problem(source, "expected a list of texts"))
            continue
        texts = [_text(entry, f"{source} text {i}", problems) for i, entry in enumerate(entries, start=1)]
        if image is not None:
            samples.append(Sample(source, image, instances=tuple(text for text in texts if text is not None)))
    if problems:
        raise DataError(problems)
    return samples


def _load(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DataError(Problem(str(path), f"cannot read the labels ({error.strerror})")) from error
    except ValueError as error:
        raise DataError(Problem(str(path), f"not JSON text ({error})", "give train_full_labels.json")) from error
    if not isinstance(content, dict) or not content:
        raise DataError(Problem(str(path), "expected {image: [texts]}", "give train_full_labels.json"))
    return content


def _text(entry: Any, source: str, problems: list[Problem | str]) -> TextInstance | None:
    if not isinstance(entry, dict) or not isinstance(entry.get("transcription"), str):
        problems.append(Problem(source, 'expected {"transcription": ..., "points": ..., "illegibility": ...}'))
        return None
    polygon = polygon_of(entry.get("points"), source, problems)
    text = entry["transcription"]
    ignore = bool(entry.get("illegibility")) or text in IGNORED_TEXTS
    return None if polygon is None else TextInstance(polygon, text, ignore)
