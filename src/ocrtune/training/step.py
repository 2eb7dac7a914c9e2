"""One step of gradient descent."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

import torch
from torch import Tensor, nn

from ocrtune.config.optimizer_schema import OptimizerOptions
from ocrtune.core.errors import Problem, TrainingError
from ocrtune.core.records import Batch, Sample
from ocrtune.training.batches import images_on, pieces_of, targets_on
from ocrtune.training.checkpoint import Progress
from ocrtune.training.combine import combine
from ocrtune.training.ema import WeightAverage
from ocrtune.training.optim import add_l1, clip_gradients, set_rate
from ocrtune.training.phases import PhaseTimes
from ocrtune.training.precision import autocast
from ocrtune.training.processes import Processes
from ocrtune.training.schedule import Schedule

_PATIENCE = 5  # steps in a row without a finite loss before training stops


@dataclass(frozen=True)
class StepResult:
    """losses: the total under "loss" and the parts, by name. rate: the learning rate used.

    samples: what was learnt from in this process. skipped: why the step changed nothing ("" when it did); then
    ``samples`` are those of all processes. elsewhere: how many samples other processes learnt from. pieces: each batch
    was cut into so many, because more did not fit into memory.
    """

    losses: dict[str, float]
    rate: float
    samples: tuple[Sample, ...]
    skipped: str = ""
    elsewhere: int = 0
    pieces: int = 1

    @property
    def count(self) -> int:
        """Samples of the step, in all processes."""
        return len(self.samples) + self.elsewhere


@dataclass
class Trainer:
    """A model and everything that changes it. ``progress`` moves with every step; ``phases`` times it."""

    model: nn.Module
    loss: nn.Module
    optimizer: torch.optim.Optimizer
    options: OptimizerOptions
    schedule: Schedule
    device: torch.device
    precision: torch.dtype = torch.float32
    average: WeightAverage | None = None
    progress: Progress = field(default_factory=Progress)
    processes: Processes = field(default_factory=Processes)
    pieces: int = 1
    phases: PhaseTimes = field(init=False)
    _failures: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.phases = PhaseTimes(self.device)

    def step(self, batches: Sequence[Batch]) -> StepResult:
        """Learn from ``batches`` together: gradients add up, each batch weighing as much as it has samples.

        With a loss that is a mean over samples that equals one large batch, except that BatchNorm sees each batch by
        itself. The batches of other processes count in the same way, and a process without a sample takes part with
        nothing. A loss or gradient that is not a finite number changes nothing; after five such steps in a row
        TrainingError names the samples. Where memory is short each batch is learnt from in pieces, which are batches of
        their own as above; TrainingError when not even one sample fits.
        """
        self.phases.start()
        rate = self.schedule(self.progress.step)
        set_rate(self.optimizer, rate)
        samples = tuple(sample for batch in batches for sample in batch.samples)
        losses, total = combine(self.processes, self.model, self._gradients_that_fit(batches), len(samples))
        skipped = "" if math.isfinite(losses["loss"]) else "the loss is not a number"
        if not skipped:
            norm = clip_gradients(self.model.parameters(), self.options)
            skipped = "" if norm is None or bool(torch.isfinite(norm)) else "the gradient is not a number"
        if not skipped:
            add_l1(self.optimizer)
            self.optimizer.step()
            if self.average is not None:
                self.average.update(self.model)
        if skipped:
            samples = tuple(chain.from_iterable(self.processes.gather(samples)))
        self.phases.mark("updating")
        self.progress.step += 1
        self._count(skipped, samples)
        return StepResult(losses, rate, samples, skipped, total - len(samples), self.pieces)

    def _gradients_that_fit(self, batches: Sequence[Batch]) -> dict[str, float]:
        """The gradients of ``batches`` and their mean losses; twice as many pieces whenever memory runs out."""
        while True:
            self.optimizer.zero_grad(set_to_none=True)
            try:
                return self._gradients(
                    [piece for batch in filter(len, batches) for piece in pieces_of(batch, self.pieces)]
                )
            except torch.OutOfMemoryError as error:
                if self.processes.synchronised:  # the others wait in the network for exactly this batch
                    what, fix = "the batch does not fit", "lower Train.loader.batch_size_per_card"
                    raise TrainingError(Problem("memory", what, fix)) from error
                if self.pieces >= max(map(len, batches)):
                    fix = "train on smaller images or a smaller model"
                    raise TrainingError(Problem("memory", "not even a batch of one sample fits", fix)) from error
            self.pieces *= 2  # outside of the except block, whose exception holds on to the tensors
            if self.device.type == "cuda":
                torch.cuda.empty_cache()

    def _gradients(self, batches: Sequence[Batch]) -> dict[str, float]:
        total = sum(map(len, batches))
        losses: dict[str, float] = {}
        for batch in batches:
            share = len(batch) / total
            for name, value in self._gradients_of(batch, share).items():
                losses[name] = losses.get(name, 0.0) + share * value
        return losses

    def _gradients_of(self, batch: Batch, share: float) -> Mapping[str, float]:
        """Add ``share`` times the gradients of ``batch``; its losses. A loss that is not finite adds none."""
        targets = targets_on(batch, self.device)
        with autocast(self.device, self.precision):
            outputs = self.model(images_on(batch, self.device), targets)
        parts: dict[str, Tensor] = self.loss(outputs, targets)
        losses = {name: float(value.detach()) for name, value in parts.items()}
        self.phases.mark("forward")
        if math.isfinite(losses["loss"]) or self.processes.synchronised:
            torch.autograd.backward(parts["loss"] * share if share < 1 else parts["loss"])
        self.phases.mark("backward")
        return losses

    def _count(self, skipped: str, samples: Sequence[Sample]) -> None:
        self._failures = self._failures + 1 if skipped else 0
        if self._failures < _PATIENCE:
            return
        where = f"step {self.progress.step}"
        sources = ", ".join(sample.source for sample in samples)
        what = f"{skipped}, {_PATIENCE} steps in a row; the last batch: {sources}"
        fix = "lower Optimizer.lr.learning_rate, set Optimizer.clip_norm_global, or look at these samples"
        raise TrainingError(Problem(where, what, fix))
