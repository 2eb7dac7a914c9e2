"""What a load is going to write, before anything is written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray


@dataclass
class Plan:
    """Values for the tensors of a model's ``state_dict``.

    values: tensor name -> array of the model's shape. adapted: those of ``values`` that were computed -> how.
    unexpected: tensors of the file without a place. stopped: why the rest was not filled (a partial load).
    """

    values: dict[str, NDArray[Any]] = field(default_factory=dict)
    adapted: dict[str, str] = field(default_factory=dict)
    unexpected: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def put(self, name: str, value: NDArray[Any], how: str | None = None) -> None:
        """Set a tensor; ``how`` when it is not simply the file's value."""
        self.values[name] = value
        if how is not None:
            self.adapted[name] = how
