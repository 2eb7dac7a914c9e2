"""What several processes learnt from their slices of a batch, put together as if one had learnt from all of it."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import nn

from ocrtune.training.processes import Processes


def combine(
    processes: Processes, model: nn.Module, losses: Mapping[str, float], samples: int
) -> tuple[dict[str, float], int]:
    """The losses over all processes and the number of their samples; the gradients of ``model`` become those of all.

    Each process weighs as much as it has samples, as accumulated batches do: with a loss that is a mean over samples
    that equals one batch. losses: of this process, means over its ``samples``; empty where it has none. Gradients are
    left alone when the loss is not finite. A parameter that no process used keeps no gradient.
    """
    if processes.world == 1:
        return dict(losses), samples
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    unused = frozenset(i for i, parameter in enumerate(parameters) if parameter.grad is None)
    told = processes.gather((samples, dict(losses), unused))
    total = sum(count for count, _, _ in told)
    combined: dict[str, float] = {}
    for count, values, _ in told:
        for name, value in values.items():
            combined[name] = combined.get(name, 0.0) + count / total * value
    if math.isfinite(combined["loss"]):
        nowhere = frozenset.intersection(*(indices for _, _, indices in told))
        gradients = []
        for i, parameter in enumerate(parameters):
            if i in nowhere:
                continue
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            gradients.append(parameter.grad)
        processes.sum_(gradients, samples / total)
    return combined, total
