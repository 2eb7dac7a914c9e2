"""Section ``Optimizer`` as typed, frozen dataclasses; the keys are PaddleOCR's (``ppocr/optimizer`` at 79f652f5)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

ScheduleName = Literal[
    "Const",
    "Cosine",
    "LinearWarmupCosine",
    "CyclicalCosine",
    "TwoStepCosine",
    "OneCycle",
    "Linear",
    "DecayLearningRate",
    "Piecewise",
    "Step",
    "MultiStepDecay",
]

_ANY = {"name", "warmup_epoch", "base_batch", "auto"}
_KEYS: dict[ScheduleName, tuple[set[str], set[str]]] = {  # schedule: (needed, possible)
    "Const": ({"learning_rate"}, set()),
    "Cosine": ({"learning_rate"}, set()),
    "LinearWarmupCosine": ({"learning_rate"}, {"warmup_steps", "start_lr", "min_lr"}),
    "CyclicalCosine": ({"learning_rate", "cycle"}, set()),
    "TwoStepCosine": ({"learning_rate"}, set()),
    "OneCycle": ({"max_lr"}, {"anneal_strategy", "three_phase"}),
    "Linear": ({"learning_rate"}, {"end_lr", "power"}),
    "DecayLearningRate": ({"learning_rate"}, {"factor"}),
    "Piecewise": ({"values", "decay_epochs"}, set()),
    "Step": ({"learning_rate", "step_size", "gamma"}, set()),
    "MultiStepDecay": ({"learning_rate", "milestones", "gamma"}, set()),
}


@dataclass(frozen=True)
class LearningRate:
    """Section ``Optimizer.lr``. Which keys a schedule takes is the table above; ``training.schedule`` has the curves.

    learning_rate: the peak (``max_lr`` for OneCycle, ``values`` for Piecewise, one value more than ``decay_epochs``).
    warmup_epoch: epochs (may be a fraction) of linear warm-up from 0.
    cycle, step_size, milestones: in epochs. warmup_steps, start_lr, min_lr: of LinearWarmupCosine, in steps and rates.
    base_batch: the total batch that the rates above were chosen for (extension).
    auto: scale the rates from ``base_batch`` to this run's total batch by the linear rule (extension); the sum is
        printed. See ``training.linear_rule``.
    """

    name: ScheduleName = "Const"
    learning_rate: float | None = None
    warmup_epoch: float = 0.0
    decay_epochs: tuple[int, ...] = ()
    values: tuple[float, ...] = ()
    max_lr: float | None = None
    anneal_strategy: Literal["cos", "linear"] = "cos"
    three_phase: bool = False
    end_lr: float = 0.0
    power: float = 1.0
    factor: float = 0.9
    cycle: float | None = None
    step_size: int | None = None
    milestones: tuple[int, ...] = ()
    gamma: float | None = None
    warmup_steps: int = 5000
    start_lr: float = 1e-5
    min_lr: float = 1e-8
    base_batch: int | None = None
    auto: bool = False

    def __post_init__(self) -> None:
        needed, possible = _KEYS[self.name]
        given = {field.name for field in dataclasses.fields(self) if getattr(self, field.name) != field.default}
        if foreign := sorted(given - needed - possible - _ANY):
            raise ValueError(f"{self.name} does not take {', '.join(foreign)}")
        if self.name == "LinearWarmupCosine" and self.warmup_epoch:
            raise ValueError("LinearWarmupCosine takes warmup_steps, not warmup_epoch")
        if self.name == "Piecewise":
            self._check_pieces()
        elif missing := sorted(needed - given):
            raise ValueError(f"{self.name} needs {' and '.join(missing)}")
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError("milestones must rise")
        rates = (self.learning_rate, self.max_lr, *self.values, self.end_lr, self.start_lr, self.min_lr)
        if self.warmup_epoch < 0 or self.warmup_steps < 0 or min(rate for rate in rates if rate is not None) < 0:
            raise ValueError("learning rates, warmup_epoch and warmup_steps must not be negative")
        if min(self.cycle or 1, self.step_size or 1, self.base_batch or 1) <= 0:
            raise ValueError("cycle, step_size and base_batch must be above 0")
        if self.auto and self.base_batch is None:
            raise ValueError(
                "auto needs base_batch, the total batch that the rates were chosen for "
                "(PaddleOCR's own files: 8 cards times batch_size_per_card)"
            )

    def _check_pieces(self) -> None:
        if len(self.values) != len(self.decay_epochs) + 1:
            counts = f"{len(self.values)} values for {len(self.decay_epochs)} decay_epochs"
            raise ValueError(f"Piecewise has {counts}, expected one value more than decay_epochs")
        if list(self.decay_epochs) != sorted(set(self.decay_epochs)):
            raise ValueError("decay_epochs must rise")


@dataclass(frozen=True)
class Regularizer:
    """Section ``Optimizer.regularizer``, added to the gradient: L2 is ``factor * w``, L1 ``factor * sign(w)``."""

    name: Literal["L2", "L2Decay", "L1", "L1Decay"] = "L2"
    factor: float = 0.0


@dataclass(frozen=True)
class OptimizerOptions:
    """Section ``Optimizer``.

    beta1, beta2: of Adam and AdamW. momentum: of Momentum and RMSProp. rho: of RMSProp.
    epsilon: None is Paddle's default, 1e-8, or 1e-6 for RMSProp.
    weight_decay: decoupled, of AdamW alone. no_weight_decay_name: parts of parameter names, separated by
    spaces, that are not decayed. one_dim_param_no_weight_decay: nor are biases and norms.
    clip_norm: gradient norm per parameter; clip_norm_global: of all gradients together.
    gradient_accumulation_steps: batches that make one step together (extension).
    lr_mult: factors of the learning rate by the beginning of parameters' names, ``{backbone: 0.1}``; the longest
        name that fits counts (extension).
    """

    lr: LearningRate
    name: Literal["Adam", "AdamW", "Momentum", "RMSProp"] = "Adam"
    beta1: float = 0.9
    beta2: float = 0.999
    momentum: float | None = None
    rho: float = 0.95
    epsilon: float | None = None
    weight_decay: float | None = None
    no_weight_decay_name: str = ""
    one_dim_param_no_weight_decay: bool = False
    regularizer: Regularizer | None = None
    clip_norm: float | None = None
    clip_norm_global: float | None = None
    gradient_accumulation_steps: int = 1
    lr_mult: dict[str, float] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.name != "AdamW" and self.weight_decay is not None:
            raise ValueError(f"weight_decay belongs to AdamW; {self.name} takes regularizer: {{name: L2, factor: ...}}")
        if self.name == "AdamW" and self.regularizer is not None and self.regularizer.factor:
            raise ValueError("AdamW takes weight_decay, not regularizer")
        if self.name == "Momentum" and self.momentum is None:
            raise ValueError("Momentum needs momentum, for example 0.9")
        if self.momentum is not None and self.name not in ("Momentum", "RMSProp"):
            raise ValueError(f"{self.name} does not take momentum (beta1 is Adam's)")
        if self.gradient_accumulation_steps < 1:
            raise ValueError("gradient_accumulation_steps must be at least 1")
        if min(self.lr_mult.values(), default=0) < 0:
            raise ValueError("lr_mult must not be negative; to keep a part as it is, use Global.freeze")
        for name in ("momentum", "rho"):
            if not 0 <= (getattr(self, name) or 0) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected 0 to 1")
