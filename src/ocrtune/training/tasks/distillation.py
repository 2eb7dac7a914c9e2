"""Several networks, each scored by itself: ``accuracy`` of the one that decides, ``Teacher/accuracy`` of another."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ocrtune.core.records import Batch
from ocrtune.core.submodels import part_of, qualified
from ocrtune.training.tasks.base import Task


class DistillationTask:
    """tasks: that of each network to be scored. key: the network that picks the best checkpoint, one of them.

    Reads each network's outputs, ``Student/ctc`` and so on.
    """

    def __init__(self, tasks: Mapping[str, Task], key: str):
        self._tasks = tasks
        self._key = key

    @property
    def main_indicator(self) -> str:
        """The deciding network's metric that picks the best checkpoint."""
        return self._tasks[self._key].main_indicator

    def reset(self) -> None:
        """Begin a new evaluation."""
        for task in self._tasks.values():
            task.reset()

    def update(self, outputs: Mapping[str, Tensor], batch: Batch) -> None:
        """Score the outputs of one batch."""
        for network, task in self._tasks.items():
            task.update(part_of(outputs, network), batch)

    def sums(self) -> dict[str, float]:
        """What the metrics are computed from, each network's under its name."""
        every = [qualified(network, task.sums()) for network, task in self._tasks.items()]
        return {name: value for sums in every for name, value in sums.items()}

    def add(self, sums: Mapping[str, float]) -> None:
        """Add the :meth:`sums` of another process."""
        for network, task in self._tasks.items():
            task.add(part_of(sums, network))

    def compute(self) -> dict[str, float]:
        """The metrics of the deciding network, then those of the others under their names."""
        found = dict(self._tasks[self._key].compute())
        for network, task in self._tasks.items():
            if network != self._key:
                found |= qualified(network, task.compute())
        return found
