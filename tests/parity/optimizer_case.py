"""What both sides of the optimiser parity test do: numpy only."""

from typing import Any

import numpy as np

STEPS = 6
_LR = {"name": "Cosine", "learning_rate": 0.05, "warmup_epoch": 0.4}
_ADAM = {"name": "Adam", "beta1": 0.9, "beta2": 0.999, "lr": _LR}

CASES: dict[str, dict[str, Any]] = {
    "adam_l2": {**_ADAM, "regularizer": {"name": "L2", "factor": 0.1}},
    "adam_l2_zero": {**_ADAM, "regularizer": {"name": "L2", "factor": 0}},
    "adam_clip_global": {**_ADAM, "regularizer": {"name": "L2", "factor": 0.1}, "clip_norm_global": 0.7},
    "adam_clip_each": {**_ADAM, "regularizer": {"name": "L2", "factor": 0.1}, "clip_norm": 0.3},
    "adam_l1": {**_ADAM, "regularizer": {"name": "L1", "factor": 0.1}, "clip_norm_global": 0.7},
    "momentum": {"name": "Momentum", "lr": _LR, "momentum": 0.9, "regularizer": {"name": "L2", "factor": 0.1}},
    "rmsprop": {"name": "RMSProp", "lr": _LR, "momentum": 0.8, "regularizer": {"name": "L2", "factor": 0.1}},
    "rmsprop_plain": {"name": "RMSProp", "lr": _LR, "rho": 0.9, "epsilon": 1e-3},
    "adamw": {"name": "AdamW", "lr": _LR, "weight_decay": 0.3, "one_dim_param_no_weight_decay": True},
}


def fc_decay(case: str) -> float:
    """The head's own L2 factor."""
    return 0.0 if case == "adamw" else 0.5


def start() -> dict[str, np.ndarray]:
    """Initial parameters by PyTorch's names and layout."""
    rng = np.random.default_rng(11)
    shapes = {"body.weight": (4, 5), "body.bias": (4,), "head.fc.weight": (3, 4), "head.fc.bias": (3,)}
    return {name: rng.normal(0, 0.6, shape).astype(np.float32) for name, shape in shapes.items()}


def target_of_step(step: int) -> tuple[np.ndarray, np.ndarray]:
    """(input (8, 5), wanted output (8, 3)) of one step."""
    rng = np.random.default_rng(100 + step)
    return rng.normal(0, 1, (8, 5)).astype(np.float32), rng.normal(0, 1, (8, 3)).astype(np.float32)
