"""What the training loop and ``eval`` know about a metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

from ocrtune.core.records import Sample

ResultT = TypeVar("ResultT", contravariant=True)


class Metric(Protocol[ResultT]):
    """Collects results over batches, then computes all numbers at once.

    main_indicator: the key of ``compute()`` that picks the best checkpoint; higher is better.
    """

    @property
    def main_indicator(self) -> str: ...

    def reset(self) -> None:
        """Forget everything seen so far."""
        ...

    def update(self, results: Sequence[ResultT], samples: Sequence[Sample]) -> None:
        """Add the results of one batch, one per sample, in the same order. ValueError when the numbers differ."""
        ...

    def sums(self) -> dict[str, float]:
        """What :meth:`compute` is computed from, to be added up over several processes."""
        ...

    def add(self, sums: Mapping[str, float]) -> None:
        """Add what another process saw, as its :meth:`sums` told it."""
        ...

    def compute(self) -> dict[str, float]:
        """All numbers over everything since ``reset``; defined, without dividing by zero, even for nothing."""
        ...


def paired(n_results: int, n_samples: int) -> None:
    """ValueError unless every sample has its result: evaluation never skips."""
    if n_results != n_samples:
        raise ValueError(f"{n_results} results for {n_samples} samples")


def share(part: float, whole: float, empty: float = 0.0) -> float:
    """``part / whole``, or ``empty`` when there is nothing."""
    return part / whole if whole else empty
