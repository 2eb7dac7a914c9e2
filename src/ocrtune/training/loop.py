"""The training loop. It knows batches and steps; what they mean is the task's business."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Protocol

from ocrtune.core.records import Batch
from ocrtune.training.batches import BatchSource
from ocrtune.training.step import StepResult, Trainer


class Observer(Protocol):
    """Logs, evaluates and saves."""

    def stepped(self, result: StepResult, waited: float) -> None:
        """After each step; ``waited``: seconds it waited for its batch."""
        ...

    def epoch_ended(self) -> None:
        """After each epoch, ``progress.epoch`` being the number of epochs done."""
        ...


def fit(trainer: Trainer, loader: BatchSource, epochs: int, observer: Observer) -> None:
    """Train until ``epochs`` epochs are done, from wherever ``trainer.progress`` stands."""
    trainer.model.train()
    for epoch in range(trainer.progress.epoch, epochs):
        loader.set_epoch(epoch)
        for batch, waited in timed(loader):
            observer.stepped(trainer.step(batch), waited)
        trainer.progress.epoch = epoch + 1
        observer.epoch_ended()


def timed(batches: Iterable[Batch]) -> Iterator[tuple[Batch, float]]:
    """Each batch with the seconds it took to come."""
    iterator = iter(batches)
    while True:
        start = time.perf_counter()
        batch = next(iterator, None)
        if batch is None:
            return
        yield batch, time.perf_counter() - start
