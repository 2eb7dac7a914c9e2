"""A model of one weight, and what is needed to train it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ocrtune.config.optimizer_schema import LearningRate, OptimizerOptions
from ocrtune.core.records import Batch, Sample
from ocrtune.training.optim import build_optimizer
from ocrtune.training.schedule import build_schedule
from ocrtune.training.step import StepResult, Trainer

CPU = torch.device("cpu")


class Scale(nn.Module):
    """(N, 3, 1, 1) -> ``y``: the mean colour times one weight."""

    def __init__(self, weight: float = 0.0):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([weight]))

    def forward(self, image: Tensor, targets: dict[str, Tensor] | None = None) -> dict[str, Tensor]:
        return {"y": image.mean(dim=(1, 2, 3)) * self.weight}


class SquaredError(nn.Module):
    def forward(self, outputs: dict[str, Tensor], targets: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"loss": (outputs["y"] - targets["y"]).square().mean()}


def batch(value: float, target: float, source: str = "labels.txt:1") -> Batch:
    sample = Sample(source, Path("x.png"))
    return Batch(torch.full((1, 3, 1, 1), float(value)), {"y": torch.tensor([float(target)])}, (sample,))


class Batches:
    """The same batches in every epoch."""

    def __init__(self, batches: list[Batch]):
        self.batches = batches
        self.epochs: list[int] = []

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Batch]:
        return iter(self.batches)

    def set_epoch(self, epoch: int) -> None:
        self.epochs.append(epoch)


class Notes:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.steps: list[StepResult] = []
        self.epochs = 0
        self.enough = 1000

    def stepped(self, result: StepResult, waited: float) -> None:
        assert waited >= 0
        self.steps.append(result)

    def epoch_ended(self) -> None:
        self.epochs += 1

    def wants_to_stop(self) -> bool:
        return self.epochs >= self.enough


def trainer(model: nn.Module, rate: float = 0.1, **options: Any) -> Trainer:
    optimizer = OptimizerOptions(lr=LearningRate("Const", rate), **options)
    schedule = build_schedule(optimizer.lr, 1, 10)
    return Trainer(model, SquaredError(), build_optimizer(model, optimizer), optimizer, schedule, CPU)
