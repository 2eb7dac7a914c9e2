"""Images: do the files exist, decode, and hold all their pixels; and how large are they."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ocrtune.core.errors import DataError, Problem
from ocrtune.core.records import ImageFile, Sample
from ocrtune.data.image_file import find_damage, image_size


def check_images(samples: tuple[Sample, ...], problems: list[Problem]) -> NDArray[np.int64]:
    """(N, 2) width and height of each sample's first image; every image with a fault becomes a problem, once."""
    seen: dict[ImageFile, tuple[int, int]] = {}
    sizes = np.ones((len(samples), 2), np.int64)
    for i, sample in enumerate(samples):
        for path in (sample.image_path, *sample.alternatives):
            if path not in seen:
                seen[path] = _size(path, sample.source, problems)
        sizes[i] = seen[sample.image_path]
    return sizes


def _size(path: ImageFile, source: str, problems: list[Problem]) -> tuple[int, int]:
    try:
        size = image_size(path, source)
    except DataError as error:
        problems += [problem for problem in error.problems if isinstance(problem, Problem)]
        return 1, 1
    damage = find_damage(path)
    if damage:
        problems.append(Problem(source, f"{path} is damaged ({damage})", "replace the image or remove the line"))
    return size
