"""The training loop. It knows batches and steps; what they mean is the task's business."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Protocol

from ocrtune.core.records import Batch
from ocrtune.training.batches import BatchSource
from ocrtune.training.checkpoint import random_state, set_random_state
from ocrtune.training.freeze import train_mode_
from ocrtune.training.step import StepResult, Trainer


class Observer(Protocol):
    """Logs, evaluates and saves."""

    def stepped(self, result: StepResult, waited: float) -> None:
        """After each step; ``waited``: seconds it waited for its batch."""
        ...

    def epoch_ended(self) -> None:
        """After each epoch, ``progress.epoch`` being the number of epochs done."""
        ...

    def wants_to_stop(self) -> bool:
        """Asked after each step and each epoch."""
        ...


def fit(trainer: Trainer, loader: BatchSource, epochs: int, observer: Observer, accumulate: int = 1) -> None:
    """Train until ``epochs`` epochs are done, from wherever ``trainer.progress`` stands, or the observer has enough.

    Inside an epoch, too: what it learnt from already is prepared again, to be left out.
    accumulate: batches that make one step; the last step of an epoch may have fewer.
    """
    train_mode_(trainer.model)
    per_epoch = steps_per_epoch(loader, accumulate)
    for epoch in range(trainer.progress.epoch, epochs):
        loader.set_epoch(epoch)
        steps = grouped(timed(loader), accumulate)
        leave_out(steps, trainer.progress.step - epoch * per_epoch)
        for batches, waited in steps:
            observer.stepped(trainer.step(batches), waited)
            if observer.wants_to_stop():
                return
        trainer.progress.epoch = epoch + 1
        observer.epoch_ended()
        if observer.wants_to_stop():
            return


def steps_per_epoch(loader: BatchSource, accumulate: int) -> int:
    """Steps that :func:`fit` makes of one pass."""
    return -(-len(loader) // accumulate)


def leave_out(steps: Iterator[object], count: int) -> None:
    """Take the first ``count`` of ``steps``; the global random numbers, which an iterator may draw from, stay."""
    if count > 0:
        state = random_state()
        for _ in islice(steps, count):
            pass
        set_random_state(state)


def grouped(batches: Iterator[tuple[Batch, float]], size: int) -> Iterator[tuple[list[Batch], float]]:
    """``size`` batches at a time, fewer at the end, with the seconds they took to come."""
    while group := list(islice(batches, size)):
        yield [batch for batch, _ in group], sum(waited for _, waited in group)


def timed(batches: Iterable[Batch]) -> Iterator[tuple[Batch, float]]:
    """Each batch with the seconds it took to come."""
    iterator = iter(batches)
    while True:
        start = time.perf_counter()
        batch = next(iterator, None)
        if batch is None:
            return
        yield batch, time.perf_counter() - start
