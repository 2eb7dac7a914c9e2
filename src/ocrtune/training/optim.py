"""PaddleOCR's optimizers: Adam, AdamW, Momentum and RMSProp.

Source: PaddleOCR ppocr/optimizer/__init__.py, optimizer.py and regularizer.py at 79f652f5. ``regularizer`` is added to
the gradient after clipping (L2 is PyTorch's ``Adam(weight_decay=...)``), for every parameter, BatchNorm included. Where
a component has a factor of its own (``fc_decay`` of CTCHead), that one counts, as L2, even if the config says 0. AdamW
decays the weights themselves, by ``weight_decay`` times the rate, and knows no such factors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ocrtune.config.optimizer_schema import OptimizerOptions
from ocrtune.core.errors import ConfigError, Problem, did_you_mean
from ocrtune.models.decay import own_l2
from ocrtune.models.rates import own_rates
from ocrtune.training.rmsprop import RMSProp

_ADAMW_DECAY = 0.01  # PaddleOCR's, where the config gives none
_EPSILON = {"RMSProp": 1e-6}  # others: 1e-8


class Decay(NamedTuple):
    """What pulls a parameter towards 0: factors of its value and of its sign."""

    l2: float = 0.0
    l1: float = 0.0


def build_optimizer(model: nn.Module, options: OptimizerOptions) -> torch.optim.Optimizer:
    """One parameter group per decay and rate factor; frozen parameters are left out. Set the rate before each step."""
    decay_of = _adamw_decay(model, options) if options.name == "AdamW" else _coupled_decay(model, options)
    factor_of = _rate_factors(model, options)
    groups: dict[tuple[Decay, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            groups.setdefault((decay_of[name], factor_of[name]), []).append(parameter)
    described = [
        {"params": parameters, "weight_decay": decay.l2, "l1": decay.l1, "lr_mult": factor}
        for (decay, factor), parameters in groups.items()
    ]
    return _optimizer(described, options)


def _optimizer(groups: list[dict[str, Any]], options: OptimizerOptions) -> torch.optim.Optimizer:
    epsilon = _EPSILON.get(options.name, 1e-8) if options.epsilon is None else options.epsilon
    momentum = options.momentum or 0.0
    if options.name == "Momentum":
        return torch.optim.SGD(groups, lr=0.0, momentum=momentum)
    if options.name == "RMSProp":
        return RMSProp(groups, lr=0.0, rho=options.rho, momentum=momentum, eps=epsilon)
    kind = torch.optim.Adam if options.name == "Adam" else torch.optim.AdamW
    values = [value for group in groups for value in group["params"]]
    fused = all(value.device.type == "cpu" and value.dtype == torch.float32 for value in values)
    return kind(groups, lr=0.0, betas=(options.beta1, options.beta2), eps=epsilon, fused=fused or None)


def add_l1(optimizer: torch.optim.Optimizer) -> None:
    """Add the L1 part of the decay to the gradients; call it after clipping."""
    for group in optimizer.param_groups:
        if factor := group["l1"]:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.grad.add_(parameter.detach().sign(), alpha=factor)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Use this learning rate, times each group's own factor, from the next step on."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["lr_mult"]


def clip_gradients(parameters: Iterable[nn.Parameter], options: OptimizerOptions) -> Tensor | None:
    """Shorten gradients as the config asks; the norm of all gradients before that, None when nothing is asked.

    ``clip_norm`` bounds each parameter's gradient by itself, ``clip_norm_global`` all of them together.
    """
    used = [parameter for parameter in parameters if parameter.grad is not None]
    if options.clip_norm is not None:
        for parameter in used:
            torch.nn.utils.clip_grad_norm_([parameter], options.clip_norm)
    if options.clip_norm_global is not None:
        return torch.nn.utils.clip_grad_norm_(used, options.clip_norm_global)
    return None


def _rate_factors(model: nn.Module, options: OptimizerOptions) -> Mapping[str, float]:
    """Parameter -> factor of the rate: its component's own times that of the longest matching name in ``lr_mult``.

    ConfigError when a name of ``lr_mult`` is not of this model.
    """
    names = [name for name, _ in model.named_parameters()]
    factors = dict.fromkeys(names, 1.0)
    for part in sorted(options.lr_mult, key=len):
        inside = [name for name in names if name == part or name.startswith(f"{part}.")]
        if not inside:
            fix = did_you_mean(part, {name.partition(".")[0] for name in names})
            raise ConfigError(Problem("Optimizer.lr_mult", f"no part is called '{part}'", fix))
        factors |= dict.fromkeys(inside, options.lr_mult[part])
    own = own_rates(model)
    return {name: factor * own.get(name, 1.0) for name, factor in factors.items()}


def _coupled_decay(model: nn.Module, options: OptimizerOptions) -> Mapping[str, Decay]:
    regularizer = options.regularizer
    common = Decay()
    if regularizer is not None:
        common = Decay(l1=regularizer.factor) if regularizer.name.startswith("L1") else Decay(regularizer.factor)
    own = {name: Decay(factor) for name, factor in own_l2(model).items()}
    return {name: common for name, _ in model.named_parameters()} | own


def _adamw_decay(model: nn.Module, options: OptimizerOptions) -> Mapping[str, Decay]:
    common = _ADAMW_DECAY if options.weight_decay is None else options.weight_decay
    spared = options.no_weight_decay_name.split()

    def spares(name: str, parameter: nn.Parameter) -> bool:
        one_dimensional = options.one_dim_param_no_weight_decay and parameter.ndim == 1
        return one_dimensional or any(part in name for part in spared)

    return {name: Decay() if spares(name, value) else Decay(common) for name, value in model.named_parameters()}
