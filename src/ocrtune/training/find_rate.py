"""``ocrtune train --find-lr``: the learning-rate range test.

Source: Smith, Cyclical learning rates for training neural networks, WACV 2017, arXiv 1506.01186, section 3.3. The rate
rises from 1e-6 to 1e-1 by the same factor at every step, until the smoothed loss is four times its lowest value or no
number any more. The suggestion is a tenth of the rate at which the smoothed loss was lowest, rounded down to 1, 2 or 5
times a power of ten: at the lowest point the loss is about to rise, and smoothing sees it late. There is none where the
loss did not fall by 2 % first.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ocrtune.config.optimizer_schema import LearningRate
from ocrtune.config.schema import RunConfig
from ocrtune.core.errors import ConfigError, Problem, TrainingError
from ocrtune.training.batches import BatchSource
from ocrtune.training.checkpoint import Progress, write_file
from ocrtune.training.linear_rule import round_down
from ocrtune.training.logs import Bar
from ocrtune.training.loop import fit, steps_per_epoch
from ocrtune.training.rate_picture import rate_picture
from ocrtune.training.run import assemble
from ocrtune.training.schedule import Schedule
from ocrtune.training.step import StepResult, Trainer

CURVE, PICTURE = "find_lr.json", "find_lr.png"
LOWEST, HIGHEST, STEPS = 1e-6, 1e-1, 100

_SMOOTHING = 0.9
_DIVERGED = 4.0  # times the lowest smoothed loss
_FALL = 0.02  # least share of the first smoothed loss
_FEWEST = 10  # steps that make a curve


@dataclass(frozen=True)
class RateTest:
    """The loss of each step and its smoothed value, by learning rate. suggestion: None where the loss did not fall."""

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    suggestion: float | None


def find_rate(config: RunConfig, *, device: str | None = None, say: Callable[[str], None] = print) -> RateTest:
    """Sweep the rate over the run that ``config`` describes; write ``find_lr.json`` and ``.png`` into its folder.

    The weights that are changed are thrown away: training starts afterwards as if this had not been. Raises what
    :func:`ocrtune.training.run.train` raises; TrainingError when the loss is no number from the beginning.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError(Problem("--find-lr", "runs in one process", "start it without torchrun"))
    parts = assemble(config, device=device, say=say)
    accumulate = parts.config.optimizer.gradient_accumulation_steps
    found = sweep(parts.trainer, parts.train_loader, accumulate)
    folder = parts.config.global_options.save_model_dir
    write_file(folder / CURVE, (json.dumps(asdict(found), indent=1) + "\n").encode())
    write_file(folder / PICTURE, rate_picture(found.rates, found.losses, found.smoothed, found.suggestion))
    say(_told(found, config.optimizer.lr, folder))
    return found


def sweep(trainer: Trainer, loader: BatchSource, accumulate: int = 1) -> RateTest:
    """The range test on ``trainer``, whose weights, schedule and progress it uses up."""
    trainer.progress, trainer.average = Progress(), None
    trainer.schedule = Schedule(lambda step: LOWEST * (HIGHEST / LOWEST) ** (step / (STEPS - 1)), HIGHEST)
    with Bar(STEPS, "step", keep=False) as bar:
        curve = _Curve(bar)
        fit(trainer, loader, -(-STEPS // steps_per_epoch(loader, accumulate)), curve, accumulate)
    if len(curve.rates) < _FEWEST:
        what = f"the loss is no finite number after {len(curve.rates)} steps, at a learning rate of {LOWEST:g} and more"
        raise TrainingError(Problem("--find-lr", what, "look at the labels with 'ocrtune check', and at the weights"))
    return RateTest(
        tuple(curve.rates), tuple(curve.losses), tuple(curve.smoothed), suggested(curve.rates, curve.smoothed)
    )


def suggested(rates: Sequence[float], smoothed: Sequence[float]) -> float | None:
    """The rule of the module's docstring."""
    lowest = min(range(len(smoothed)), key=smoothed.__getitem__)
    if smoothed[lowest] > (1 - _FALL) * smoothed[0]:
        return None
    return round_down(rates[lowest] / 10)


def as_override(options: LearningRate, rate: float) -> str:
    """What to give after ``-o`` so that a schedule like ``options`` has the peak ``rate``."""
    if options.name == "Piecewise":
        values = ", ".join(f"{value * rate / options.values[0]:.3g}" for value in options.values)
        text = f"'Optimizer.lr.values=[{values}]'"
    else:
        text = f"Optimizer.lr.{'max_lr' if options.name == 'OneCycle' else 'learning_rate'}={rate:g}"
    return f"{text} Optimizer.lr.auto=false" if options.auto else text


def _told(found: RateTest, options: LearningRate, folder: Path) -> str:
    where = f"{folder / PICTURE}, {folder / CURVE}"
    if found.suggestion is None:
        return f"no learning rate between {LOWEST:g} and {found.rates[-1]:.3g} lowers the loss; {where}"
    return f"learning rate: try -o {as_override(options, found.suggestion)} ({where})"


class _Curve:
    """Observes the sweep."""

    def __init__(self, bar: Bar) -> None:
        self.rates: list[float] = []
        self.losses: list[float] = []
        self.smoothed: list[float] = []
        self._bar = bar
        self._average = 0.0
        self._over = False

    def stepped(self, result: StepResult, waited: float) -> None:
        loss = result.losses["loss"]
        if result.skipped or not math.isfinite(loss):
            self._over = True
            return
        self._average = _SMOOTHING * self._average + (1 - _SMOOTHING) * loss
        self.rates.append(result.rate)
        self.losses.append(loss)
        self.smoothed.append(self._average / (1 - _SMOOTHING ** len(self.rates)))
        self._bar.advance(f"lr {result.rate:.2e} loss {loss:.4f}")
        self._over = len(self.rates) >= STEPS or self.smoothed[-1] > _DIVERGED * min(self.smoothed)

    def epoch_ended(self) -> None:
        """Nothing to do: the sweep goes by steps."""

    def wants_to_stop(self) -> bool:
        return self._over
