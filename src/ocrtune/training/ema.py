"""Moving average of a model's weights, which often scores better than the last step of a short run.

Source: PaddleOCR 3.7 ppocr/utils/ema.py for the decay rules. It starts its average from zeros and divides by
``1 - decay ** step``, which is exact only for a constant decay; here the average starts at the first weights, so that
it is a true average at every step.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor, nn

DecayType = Literal["threshold", "normal", "exponential"]
_GAMMA = 2000  # steps over which the "exponential" rule rises


def decay_at(step: int, decay: float, kind: DecayType) -> float:
    """How much of the old average is kept at the update number ``step``, from 0.

    threshold: (1 + step) / (10 + step), up to ``decay``. exponential: rises to ``decay`` within some thousand steps.
    """
    if kind == "threshold":
        return min(decay, (1 + step) / (10 + step))
    if kind == "exponential":
        return decay * (1 - math.exp(-(step + 1) / _GAMMA))
    return decay


class WeightAverage:
    """Averages the parameters and floating buffers of ``model``; other buffers are copied."""

    def __init__(self, model: nn.Module, decay: float, kind: DecayType = "threshold"):
        self.decay = decay
        self.kind: DecayType = kind
        self.step = 0
        self.values = {name: value.detach().clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move the average towards the model's present weights; call it after each optimiser step."""
        weight = 1 - decay_at(self.step, self.decay, self.kind)
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                self.values[name].lerp_(value, weight)
            else:
                self.values[name].copy_(value)
        self.step += 1

    @contextmanager
    def applied(self, model: nn.Module) -> Iterator[None]:
        """The model with the averaged weights for the length of a ``with`` block."""
        own = {name: value.detach().clone() for name, value in model.state_dict().items()}
        model.load_state_dict(self.values)
        try:
            yield
        finally:
            model.load_state_dict(own)

    def state_dict(self) -> dict[str, int | dict[str, Tensor]]:
        """For a checkpoint."""
        return {"step": self.step, "values": self.values}

    def load_state_dict(self, state: dict[str, int | dict[str, Tensor]]) -> None:
        """Go on from :meth:`state_dict`; ValueError when it belongs to another model."""
        step, values = state["step"], state["values"]
        if not isinstance(step, int) or not isinstance(values, dict) or values.keys() != self.values.keys():
            raise ValueError("the averaged weights belong to another model")
        self.step = step
        for name, value in values.items():
            self.values[name].copy_(value)
