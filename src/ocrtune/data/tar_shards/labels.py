"""Shards as samples."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ocrtune.core.errors import DataError, Problem
from ocrtune.core.records import Sample
from ocrtune.data.formats.paddle_det import parse_instances
from ocrtune.data.tar_shards.image import TarImage
from ocrtune.data.tar_shards.index import LABELS, Record, read_index


def read_samples(folder: Path, task: Literal["det", "rec"]) -> list[Sample]:
    """Every key of the shards in ``folder`` as a Sample, in their order; a text keeps its spaces.

    Raises one DataError with every key whose label is missing or wrong, or as :func:`read_index` does.
    """
    folder = folder.absolute()
    problems: list[Problem | str] = []
    samples = []
    for record in read_index(folder):
        sample = _sample(record, folder, task, problems)
        if sample is not None:
            samples.append(sample)
    if problems:
        raise DataError(problems)
    return samples


def _sample(record: Record, folder: Path, task: Literal["det", "rec"], problems: list[Problem | str]) -> Sample | None:
    source = f"{folder / record.shard}:{record.key}"
    label = record.labels.get(LABELS[task])
    if label is None:
        what = f"it has no {record.key}.{LABELS[task]}, the label of {'detection' if task == 'det' else 'recognition'}"
        problems.append(Problem(source, what, f"it has {', '.join(record.labels) or 'none'}"))
        return None
    first, *others = (TarImage(folder / record.shard, *image) for image in record.images)
    if task == "det":
        instances = parse_instances(label, source, problems)
        return None if instances is None else Sample(source, first, instances=instances, alternatives=tuple(others))
    text = label.removesuffix("\n").removesuffix("\r")
    if not text.strip() or "\n" in text:
        problems.append(Problem(source, f"the text is {label!r}, expected one line that is not empty"))
        return None
    return Sample(source, first, text=text, alternatives=tuple(others))
