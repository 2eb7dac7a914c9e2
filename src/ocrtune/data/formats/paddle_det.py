"""PaddleOCR detection labels: ``path<TAB>[{"transcription": "...", "points": [[x, y], ...]}, ...]``.

Source: PaddleOCR ppocr/data/imaug/label_ops.py ``DetLabelEncode`` at 79f652f5. Unlike there, polygons keep their own
number of points and a page without text, ``[]``, is a sample.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ocrtune.core.errors import DataError, Problem
from ocrtune.core.records import Sample, TextInstance
from ocrtune.data.formats.lines import find_images, read_lines, split_line

IGNORED_TEXTS = frozenset({"###", "*"})


def read_labels(path: Path, data_dir: Path, delimiter: str = "\t") -> list[Sample]:
    """Every line as a Sample, in file order.

    Raises one DataError with every bad line: no tab, invalid JSON, missing keys, a polygon with fewer than three
    points or with points that are not finite numbers, missing image.
    """
    problems: list[Problem | str] = []
    samples = []
    for source, line in read_lines(path):
        fields = split_line(line, source, delimiter, problems)
        if fields is None:
            continue
        instances = parse_instances(fields[1], source, problems)
        images = find_images(fields[0], data_dir, source, problems)
        if instances is not None and images:
            samples.append(Sample(source, images[0], instances=instances, alternatives=images[1:]))
    if problems:
        raise DataError(problems)
    return samples


def parse_instances(field: str, source: str, problems: list[Problem | str]) -> tuple[TextInstance, ...] | None:
    """The texts of one label; what is wrong is noted, and None where it is no list."""
    try:
        label = json.loads(field)
    except json.JSONDecodeError as error:
        problems.append(Problem(source, f"the label is not valid JSON ({error.msg} at column {error.colno})"))
        return None
    if not isinstance(label, list):
        problems.append(Problem(source, "the label must be a JSON list", "write [] for a page without text"))
        return None
    instances = [_instance(item, f"{source} text {i}", problems) for i, item in enumerate(label, start=1)]
    return tuple(instance for instance in instances if instance is not None)


def _instance(item: Any, source: str, problems: list[Problem | str]) -> TextInstance | None:
    if not isinstance(item, dict) or "points" not in item or "transcription" not in item:
        problems.append(Problem(source, 'expected {"transcription": ..., "points": [[x, y], ...]}'))
        return None
    points, text = item["points"], item["transcription"]
    if not isinstance(text, str):
        problems.append(Problem(source, f"the transcription is {text!r}, expected text"))
        return None
    try:
        polygon = np.array(points, np.float32)
    except (TypeError, ValueError):
        polygon = np.zeros(0, np.float32)
    if polygon.ndim != 2 or polygon.shape[1] != 2:
        problems.append(Problem(source, f"the points are {_short(points)}, expected [[x, y], ...]"))
    elif len(polygon) < 3:
        problems.append(Problem(source, f"the polygon has {len(polygon)} points, expected at least 3"))
    elif not np.isfinite(polygon).all():
        problems.append(Problem(source, f"the points are {_short(points)}, expected finite numbers"))
    else:
        return TextInstance(polygon, text, ignore=text in IGNORED_TEXTS)
    return None


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
