"""Keep a share of the labelled samples away from training, to evaluate on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")
_BLOCKS = 20


def split_holdout(samples: Sequence[T], share: float, seed: int) -> tuple[list[T], list[T]]:
    """(training, held out), each in the original order; the same for the same arguments.

    Neighbouring lines of a label file often show the same photo or page, so single random lines would leak into
    training. Instead the file is cut into (up to) 20 equal stretches and one contiguous block is held out of each,
    at a random place in its stretch.

    share: 0..1 of all samples, rounded, at least one and never all. Raises ValueError below two samples.
    """
    if len(samples) < 2:
        raise ValueError(f"{len(samples)} sample cannot be split into training and evaluation")
    held_count = min(max(round(len(samples) * share), 1), len(samples) - 1)
    blocks = min(_BLOCKS, held_count)
    rng = np.random.default_rng(seed)
    stretches = np.linspace(0, len(samples), blocks + 1).round().astype(int)
    sizes = np.diff(np.linspace(0, held_count, blocks + 1).round().astype(int))
    held: set[int] = set()
    for start, end, size in zip(stretches[:-1], stretches[1:], sizes):
        first = int(rng.integers(start, max(end - size, start) + 1))
        held.update(range(first, min(first + int(size), len(samples))))
    training = [sample for i, sample in enumerate(samples) if i not in held]
    return training, [sample for i, sample in enumerate(samples) if i in held]
