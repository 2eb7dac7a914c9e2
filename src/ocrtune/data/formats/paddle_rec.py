"""PaddleOCR recognition labels: ``path<TAB>text``, one crop per line.

Source: PaddleOCR ppocr/data/simple_dataset.py at 79f652f5. Unlike there, CRLF line ends are no part of the text.
"""

from __future__ import annotations

from pathlib import Path

from ocrtune.core.errors import DataError, Problem
from ocrtune.core.records import Sample
from ocrtune.data.formats.lines import find_images, read_lines, split_line


def read_labels(path: Path, data_dir: Path, delimiter: str = "\t") -> list[Sample]:
    """Every line as a Sample, in file order; the text keeps its spaces.

    Raises one DataError with every bad line: no tab, more than one tab, empty text, missing image.
    """
    problems: list[Problem | str] = []
    samples = []
    for source, line in read_lines(path):
        fields = split_line(line, source, delimiter, problems)
        if fields is None:
            continue
        text = _text(fields[1], source, delimiter, problems)
        images = find_images(fields[0], data_dir, source, problems)
        if text is not None and images:
            samples.append(Sample(source, images[0], text=text, alternatives=images[1:]))
    if problems:
        raise DataError(problems)
    return samples


def _text(field: str, source: str, delimiter: str, problems: list[Problem | str]) -> str | None:
    """The text; columns of width and height after it (MultiScaleDataSet's ``ds_width``) are dropped."""
    text, *further = field.split(delimiter)
    if further and not (len(further) == 2 and all(_is_number(value) for value in further)):
        what = f"{len(further) + 2} columns, expected 2 (path, text)"
        problems.append(Problem(source, what, "the text must not contain the delimiter"))
        return None
    if not text.strip():
        problems.append(Problem(source, "the text is empty", "remove the line or write its text"))
        return None
    return text


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True
