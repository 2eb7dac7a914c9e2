"""How samples of several label files share epochs and batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def ratios_of_mix(counts: Sequence[int], parts: Sequence[float]) -> tuple[float, ...]:
    """Per file, the ratio that draws all of the first file and of the others in proportion to ``parts``.

    counts: samples per file. An empty file has ratio 1.
    """
    unit = counts[0] / parts[0]
    return tuple(unit * part / count if count else 1.0 for count, part in zip(counts, parts))


def evenly_spread(groups: NDArray[Any]) -> NDArray[np.int64]:
    """The order of a sequence in which each stretch has of every group about the share that the whole has.

    groups: (N,) the group of each element. Returns (N,) places; the elements of a group keep their order. In a group
    of n, element k is due at (k + 1/2) / n of the way. So where the shares of a stretch are whole numbers, as in a
    batch of 8 of two groups of one size, it has exactly them, wherever it starts.
    """
    due = np.empty(len(groups))
    for group in np.unique(groups):
        places = np.flatnonzero(groups == group)
        due[places] = (np.arange(len(places)) + 0.5) / len(places)
    return np.lexsort((groups, due))  # of elements due at once, always the same group first
