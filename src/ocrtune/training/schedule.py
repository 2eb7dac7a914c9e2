"""The learning rate of every step, as PaddleOCR computes it.

Source: PaddleOCR ppocr/optimizer/learning_rate.py at 79f652f5, run on PaddlePaddle 3.3.1. Two of its habits are worth
knowing; they are kept because a config must mean here what it means there:

* with a warm-up the first step has rate 0, and the decay starts only after the warm-up but is spread over all epochs:
  a cosine is cut off before it reaches 0, and a piecewise boundary comes ``warmup_epoch`` epochs late;
* steps, not epochs, move the rate, so ``warmup_epoch`` may be a fraction.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ocrtune.config.schema import LearningRate

Curve = Callable[[int], float]


@dataclass(frozen=True)
class Schedule:
    """``schedule(step)`` is the learning rate of that step, counted from 0 over the whole run.

    curve: the rate of the k-th step of the decay. peak: what the warm-up rises to, from 0.
    """

    curve: Curve
    peak: float
    warmup_steps: int = 0

    def __call__(self, step: int) -> float:
        if step < self.warmup_steps:
            return self.peak * step / self.warmup_steps
        return self.curve(step - self.warmup_steps)


def build_schedule(options: LearningRate, epochs: int, steps_per_epoch: int) -> Schedule:
    """The schedule of ``Optimizer.lr`` for a run of that length; halves of warm-up steps round to even."""
    warmup = round(options.warmup_epoch * steps_per_epoch)
    if options.name == "Piecewise":
        boundaries = [epoch * steps_per_epoch for epoch in options.decay_epochs]
        return Schedule(piecewise(boundaries, options.values), options.values[0], warmup)
    if options.learning_rate is None:
        raise ValueError(f"{options.name} needs learning_rate")
    peak = options.learning_rate
    curve = cosine(peak, epochs * steps_per_epoch) if options.name == "Cosine" else constant(peak)
    return Schedule(curve, peak, warmup)


def cosine(peak: float, total_steps: int) -> Curve:
    """Half a cosine from ``peak`` to 0 over ``total_steps``."""
    return lambda step: peak * (1 + math.cos(math.pi * step / total_steps)) / 2


def constant(peak: float) -> Curve:
    """Always ``peak``."""
    return lambda step: peak


def piecewise(boundaries: Sequence[int], values: Sequence[float]) -> Curve:
    """``values[i]`` before step ``boundaries[i]``, the last value from the last boundary on."""
    return lambda step: values[bisect_right(boundaries, step)]
