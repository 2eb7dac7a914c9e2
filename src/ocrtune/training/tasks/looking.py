"""A task that scores nothing."""

from __future__ import annotations

from collections.abc import Mapping


class Looking:
    """Base of a Task that only keeps what it wants to know of the outputs; for a single process."""

    main_indicator = "none"

    def sums(self) -> dict[str, float]:
        """Nothing is scored."""
        return {}

    def add(self, sums: Mapping[str, float]) -> None:
        """Nothing is scored."""

    def compute(self) -> dict[str, float]:
        """Nothing is scored."""
        return {}
