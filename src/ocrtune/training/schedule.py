"""The learning rate of every step, as PaddleOCR computes it.

Source: PaddleOCR ppocr/optimizer/learning_rate.py at 79f652f5, run on PaddlePaddle 3.3.1. Two of its habits are worth
knowing; they are kept because a config must mean here what it means there:

* with a warm-up the first step has rate 0, and the decay starts only after the warm-up but is spread over all epochs:
  a cosine is cut off before it reaches 0, and a piecewise boundary comes ``warmup_epoch`` epochs late;
* steps, not epochs, move the rate, so ``warmup_epoch`` may be a fraction.
"""

from __future__ import annotations

from dataclasses import dataclass

from ocrtune.config.optimizer_schema import LearningRate
from ocrtune.training import curves
from ocrtune.training.curves import Curve

_FIRST_COSINE = 200  # epochs of the first cosine of TwoStepCosine, fixed in PaddleOCR


@dataclass(frozen=True)
class Schedule:
    """``schedule(step)`` is the learning rate of that step, counted from 0 over the whole run.

    curve: the rate of the k-th step of the decay. peak: what the warm-up rises to, from ``start``.
    """

    curve: Curve
    peak: float
    warmup_steps: int = 0
    start: float = 0.0

    def __call__(self, step: int) -> float:
        if step < self.warmup_steps:
            return self.start + (self.peak - self.start) * step / self.warmup_steps
        return self.curve(step - self.warmup_steps)


def build_schedule(options: LearningRate, epochs: int, steps_per_epoch: int) -> Schedule:
    """The schedule of ``Optimizer.lr`` for a run of that length; halves of warm-up steps round to even."""
    total = epochs * steps_per_epoch
    peak = _peak(options)
    if options.name == "LinearWarmupCosine":
        curve = curves.cosine(peak, total, options.min_lr)
        return Schedule(curve, peak, options.warmup_steps, options.start_lr)
    warmup = round(options.warmup_epoch * steps_per_epoch)
    return Schedule(_curve(options, peak, total, steps_per_epoch), peak, warmup)


def _peak(options: LearningRate) -> float:
    peak = options.values[0] if options.name == "Piecewise" else options.max_lr or options.learning_rate
    if peak is None:
        raise ValueError(f"{options.name} needs learning_rate")
    return peak


def _curve(options: LearningRate, peak: float, total: int, steps_per_epoch: int) -> Curve:
    gamma = options.gamma or 0.0
    match options.name:
        case "Cosine":
            return curves.cosine(peak, total)
        case "CyclicalCosine":
            return curves.cyclical_cosine(peak, round((options.cycle or 1) * steps_per_epoch))
        case "TwoStepCosine":
            return curves.two_step_cosine(peak, _FIRST_COSINE * steps_per_epoch)
        case "OneCycle":
            return curves.one_cycle(peak, total, options.anneal_strategy, options.three_phase)
        case "Linear":
            return curves.polynomial(peak, total, options.end_lr, options.power)
        case "DecayLearningRate":
            return curves.polynomial(peak, total, 0.0, options.factor)
        case "Piecewise":
            return curves.piecewise([epoch * steps_per_epoch for epoch in options.decay_epochs], options.values)
        case "Step":
            return curves.regular_steps(peak, (options.step_size or 1) * steps_per_epoch, gamma)
        case "MultiStepDecay":
            return curves.exponential_steps(peak, [epoch * steps_per_epoch for epoch in options.milestones], gamma)
        case _:
            return curves.constant(peak)
