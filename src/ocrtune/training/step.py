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
from ocrtune.training.batches import images_on, targets_on
from ocrtune.training.checkpoint import Progress
from ocrtune.training.combine import combine
from ocrtune.training.ema import WeightAverage
from ocrtune.training.optim import add_l1, clip_gradients, set_rate
from ocrtune.training.precision import autocast
from ocrtune.training.processes import Processes
from ocrtune.training.schedule import Schedule

_PATIENCE = 5  # steps in a row without a finite loss before training stops


@dataclass(frozen=True)
class StepResult:
    """losses: the total under "loss" and the parts, by name. rate: the learning rate used.

    samples: what was learnt from in this process. skipped: why the step changed nothing ("" when it did); then
    ``samples`` are those of all processes. elsewhere: how many samples other processes learnt from.
    """

    losses: dict[str, float]
    rate: float
    samples: tuple[Sample, ...]
    skipped: str = ""
    elsewhere: int = 0

    @property
    def count(self) -> int:
        """Samples of the step, in all processes."""
        return len(self.samples) + self.elsewhere


@dataclass
class Trainer:
    """A model and everything that changes it. ``progress`` moves with every step."""

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
    _failures: int = field(default=0, init=False)

    def step(self, batches: Sequence[Batch]) -> StepResult:
        """Learn from ``batches`` together: gradients add up, each batch weighing as much as it has samples.

        With a loss that is a mean over samples that equals one large batch, except that BatchNorm sees each batch by
        itself. The batches of other processes count in the same way, and a process without a sample takes part with
        nothing. A loss or gradient that is not a finite number changes nothing; after five such steps in a row
        TrainingError names the samples.
        """
        rate = self.schedule(self.progress.step)
        set_rate(self.optimizer, rate)
        self.optimizer.zero_grad(set_to_none=True)
        samples = tuple(sample for batch in batches for sample in batch.samples)
        losses: dict[str, float] = {}
        for batch in filter(len, batches):
            share = len(batch) / len(samples)
            for name, value in self._gradients_of(batch, share).items():
                losses[name] = losses.get(name, 0.0) + share * value
        losses, total = combine(self.processes, self.model, losses, len(samples))
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
        self.progress.step += 1
        self._count(skipped, samples)
        return StepResult(losses, rate, samples, skipped, total - len(samples))

    def _gradients_of(self, batch: Batch, share: float) -> Mapping[str, float]:
        """Add ``share`` times the gradients of ``batch``; its losses. A loss that is not finite adds none."""
        targets = targets_on(batch, self.device)
        with autocast(self.device, self.precision):
            outputs = self.model(images_on(batch, self.device), targets)
        parts: dict[str, Tensor] = self.loss(outputs, targets)
        losses = {name: float(value.detach()) for name, value in parts.items()}
        if math.isfinite(losses["loss"]) or self.processes.synchronised:
            torch.autograd.backward(parts["loss"] * share if share < 1 else parts["loss"])
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
