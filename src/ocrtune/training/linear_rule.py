"""The linear rule of PaddleOCR's fine-tuning guide: the learning rate goes with the total batch.

Total batch = cards x batch per card x accumulated batches. The guide's own examples are rounded, and so is the result
here: the rate that training starts with *down* to 1, 2 or 5 times a power of ten, the later values of a piecewise
schedule *up* to one. That gives the guide's four examples: detection, 0.001 at 64: 1e-4 at 8 and 5e-5 at 4;
recognition, [0.001, 0.0001] at 1024: [1e-4, 2e-5] at 128 and [5e-5, 1e-5] at 64. A run with the base batch keeps its
rates.
"""

from __future__ import annotations

import math
from dataclasses import replace

from ocrtune.config.optimizer_schema import LearningRate

_MANTISSAS = (1, 2, 5, 10)


def scaled(options: LearningRate, total_batch: int) -> tuple[LearningRate, str]:
    """``options`` for ``total_batch``, and the sum as a line for the user.

    ValueError without ``base_batch``. ``end_lr``, ``start_lr`` and ``min_lr`` are scaled without rounding.
    """
    if options.base_batch is None:
        raise ValueError("the linear rule needs base_batch")
    factor = total_batch / options.base_batch
    if factor == 1:
        return replace(options, auto=False), f"learning rate: kept, {total_batch} is the batch it was chosen for"
    changed = replace(
        options,
        learning_rate=_down(options.learning_rate, factor),
        max_lr=_down(options.max_lr, factor),
        values=tuple((round_up if i else round_down)(value * factor) for i, value in enumerate(options.values)),
        end_lr=options.end_lr * factor,
        start_lr=options.start_lr * factor if options.name == "LinearWarmupCosine" else options.start_lr,
        min_lr=options.min_lr * factor if options.name == "LinearWarmupCosine" else options.min_lr,
        base_batch=total_batch,
        auto=False,
    )
    before, after = _rates(options), _rates(changed)
    exact = [rate * factor for rate in before]
    line = f"learning rate: {_shown(before)} x {total_batch} / {options.base_batch} = {_shown(exact)}"
    return changed, f"{line}, rounded to {_shown(after)}"


def round_down(rate: float) -> float:
    """The largest of 1, 2, 5 times a power of ten that is not above ``rate``; 0 stays 0."""
    return _rounded(rate, down=True)


def round_up(rate: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is not below ``rate``; 0 stays 0."""
    return _rounded(rate, down=False)


def _rounded(rate: float, down: bool) -> float:
    if rate <= 0:
        return rate
    exponent = math.floor(math.log10(rate) + 1e-9)
    mantissa = rate / 10.0**exponent
    fits = [m for m in _MANTISSAS if (m <= mantissa * (1 + 1e-9) if down else m >= mantissa * (1 - 1e-9))]
    return float(f"{max(fits) if down else min(fits)}e{exponent}")


def _down(rate: float | None, factor: float) -> float | None:
    return None if rate is None else round_down(rate * factor)


def _rates(options: LearningRate) -> list[float]:
    return [rate for rate in (options.learning_rate, options.max_lr, *options.values) if rate is not None]


def _shown(rates: list[float]) -> str:
    texts = [f"{rate:.3g}" for rate in rates]
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
