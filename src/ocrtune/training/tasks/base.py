"""What evaluation asks of a task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from torch import Tensor

from ocrtune.core.records import Batch


class Task(Protocol):
    """Decodes outputs and scores them.

    main_indicator: the metric that picks the best checkpoint; higher is better.
    """

    @property
    def main_indicator(self) -> str: ...

    def reset(self) -> None:
        """Begin a new evaluation."""
        ...

    def update(self, outputs: Mapping[str, Tensor], batch: Batch) -> None:
        """Score the outputs of one batch, in eval mode, against its labels."""
        ...

    def sums(self) -> dict[str, float]:
        """What the metrics are computed from, to be added up over several processes."""
        ...

    def add(self, sums: Mapping[str, float]) -> None:
        """Add the :meth:`sums` of another process."""
        ...

    def compute(self) -> dict[str, float]:
        """All metrics since ``reset``."""
        ...
