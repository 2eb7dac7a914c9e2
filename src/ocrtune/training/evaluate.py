"""Metrics of a model on labelled images."""

from __future__ import annotations

import torch
from torch import nn

from ocrtune.core.errors import Problem, TrainingError
from ocrtune.training.batches import BatchSource, images_on
from ocrtune.training.freeze import train_mode_
from ocrtune.training.logs import Bar
from ocrtune.training.processes import Processes
from ocrtune.training.tasks.base import Task


def evaluate(
    model: nn.Module,
    loader: BatchSource,
    task: Task,
    n_samples: int,
    *,
    device: torch.device | None = None,
    processes: Processes | None = None,
) -> dict[str, float]:
    """Every metric of ``task`` over one pass of ``loader``, in float32.

    n_samples: how many labelled samples there are; TrainingError unless exactly so many were scored.
    device: where the model is; None asks its first parameter. The model is left in the mode it was in.
    processes: those that evaluate together, each with its shard in ``loader``; the metrics are those of all samples,
        with the buffers (BatchNorm's statistics) of rank 0, which the model of every process then has.
    """
    processes = processes or Processes()
    processes.copy_(list(model.buffers()))
    device = device or next(model.parameters()).device
    was_training = model.training
    model.eval()
    task.reset()
    scored = 0
    try:
        with torch.inference_mode(), Bar(n_samples, "image", keep=False, quiet=not processes.is_main) as bar:
            for batch in loader:
                task.update(model(images_on(batch, device)), batch)
                scored += len(batch)
                bar.advance(by=len(batch) * processes.world)
    finally:
        if was_training:
            train_mode_(model)
    if processes.world > 1:
        scored = _add_up(task, scored, processes)
    if scored != n_samples:
        raise TrainingError(Problem("evaluation", f"scored {scored} samples, expected {n_samples}"))
    return task.compute()


def _add_up(task: Task, scored: int, processes: Processes) -> int:
    """Give the task of every process the sums of all; how many samples they scored together."""
    found = processes.gather((scored, task.sums()))
    task.reset()
    for _, sums in found:
        task.add(sums)
    return sum(count for count, _ in found)
