"""How a learning rate falls after the warm-up: step -> rate, one function per shape.

Source: the formulas of PaddlePaddle 3.3.1's ``paddle.optimizer.lr`` and of PaddleOCR ppocr/optimizer/lr_scheduler.py
at 79f652f5. Paddle computes some of them step by step from the rate before; these are the closed forms.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Literal

Curve = Callable[[int], float]


def constant(peak: float) -> Curve:
    """Always ``peak``."""
    return lambda step: peak


def cosine(peak: float, total_steps: int, low: float = 0.0) -> Curve:
    """Half a cosine from ``peak`` to ``low`` over ``total_steps``."""
    return lambda step: low + (peak - low) * (1 + math.cos(math.pi * step / total_steps)) / 2


def cyclical_cosine(peak: float, cycle: int) -> Curve:
    """Half a cosine from ``peak`` to 0, anew every ``cycle`` steps."""
    once = cosine(peak, cycle)
    return lambda step: once(step % cycle)


def two_step_cosine(peak: float, first: int) -> Curve:
    """Half a cosine to 0 over ``first`` steps, and 0 from there on.

    PaddleOCR means to continue with a longer cosine, but multiplies the last rate, which is 0.
    """
    once = cosine(peak, first)
    return lambda step: once(min(step, first))


def one_cycle(peak: float, total_steps: int, anneal: Literal["cos", "linear"], three_phase: bool) -> Curve:
    """From ``peak`` / 25 up to ``peak`` in 0.3 of the steps, then down to ``peak`` / 250,000 (Smith & Topin, 2018).

    three_phase: down to ``peak`` / 25 as fast as up, and only then to the end.
    """
    first, last = peak / 25, peak / 25 / 1e4
    ends, rates = [0.3 * total_steps - 1, total_steps - 1.0], [first, peak, last]
    if three_phase:
        ends.insert(1, 2 * 0.3 * total_steps - 2)
        rates.insert(2, first)
    starts = [0.0, *ends[:-1]]

    def rate(step: int) -> float:
        phase = next((i for i, end in enumerate(ends) if step <= end), len(ends) - 1)
        share = (step - starts[phase]) / (ends[phase] - starts[phase])
        if anneal == "cos":
            share = (1 - math.cos(math.pi * share)) / 2
        return rates[phase] + (rates[phase + 1] - rates[phase]) * share

    return rate


def polynomial(peak: float, total_steps: int, low: float, power: float) -> Curve:
    """``peak`` to ``low`` as (1 - step / total)^power; power 1 is a straight line."""
    return lambda step: (peak - low) * (1 - min(step, total_steps) / total_steps) ** power + low


def exponential_steps(peak: float, boundaries: Sequence[int], gamma: float) -> Curve:
    """``peak``, multiplied by ``gamma`` at each of ``boundaries``."""
    return lambda step: peak * gamma ** bisect_right(boundaries, step)


def regular_steps(peak: float, every: int, gamma: float) -> Curve:
    """``peak``, multiplied by ``gamma`` every ``every`` steps."""
    return lambda step: peak * gamma ** (step // every)


def piecewise(boundaries: Sequence[int], values: Sequence[float]) -> Curve:
    """``values[i]`` before step ``boundaries[i]``, the last value from the last boundary on."""
    return lambda step: values[bisect_right(boundaries, step)]
