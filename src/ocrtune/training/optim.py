"""Adam and AdamW as PaddleOCR means them.

Source: PaddleOCR ppocr/optimizer/__init__.py, optimizer.py and regularizer.py at 79f652f5. ``regularizer: L2`` of Adam
is added to the gradient (PyTorch's ``Adam(weight_decay=...)``), for every parameter, BatchNorm included. Where a
component has a factor of its own (``fc_decay`` of CTCHead), that one counts, even if the config says 0. AdamW decays
the weights themselves, by ``weight_decay`` times the rate, and knows no such factors.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from ocrtune.config.schema import OptimizerOptions
from ocrtune.models.decay import own_l2

_ADAMW_DECAY = 0.01  # PaddleOCR's, where the config gives none


def build_optimizer(model: nn.Module, options: OptimizerOptions) -> torch.optim.Optimizer:
    """One parameter group per decay factor; frozen parameters are left out. The rate is set before each step."""
    decay_of = _adam_decay(model, options) if options.name == "Adam" else _adamw_decay(model, options)
    groups: dict[float, list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            groups.setdefault(decay_of[name], []).append(parameter)
    kind = torch.optim.Adam if options.name == "Adam" else torch.optim.AdamW
    return kind(
        [{"params": parameters, "weight_decay": decay} for decay, parameters in groups.items()],
        lr=0.0,
        betas=(options.beta1, options.beta2),
        eps=options.epsilon,
    )


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Use this learning rate from the next step on."""
    for group in optimizer.param_groups:
        group["lr"] = rate


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


def _adam_decay(model: nn.Module, options: OptimizerOptions) -> dict[str, float]:
    common = options.regularizer.factor if options.regularizer else 0.0
    return {name: common for name, _ in model.named_parameters()} | own_l2(model)


def _adamw_decay(model: nn.Module, options: OptimizerOptions) -> dict[str, float]:
    common = _ADAMW_DECAY if options.weight_decay is None else options.weight_decay
    spared = options.no_weight_decay_name.split()

    def spares(name: str, parameter: nn.Parameter) -> bool:
        one_dimensional = options.one_dim_param_no_weight_decay and parameter.ndim == 1
        return one_dimensional or any(part in name for part in spared)

    return {name: 0.0 if spares(name, value) else common for name, value in model.named_parameters()}
