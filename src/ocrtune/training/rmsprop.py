"""RMSProp as PaddlePaddle defines it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor


class RMSProp(torch.optim.Optimizer):
    """Two things differ from PyTorch's: epsilon stands under the root, and the momentum holds steps with their rate.

    ``mean = rho mean + (1 - rho) g^2``, ``velocity = momentum velocity + lr g / sqrt(mean + eps)``,
    ``w = w - velocity``; ``weight_decay`` is added to the gradient.

    Source: ``paddle.optimizer.RMSProp`` of PaddlePaddle 3.3.1 (not centred).
    """

    def __init__(self, params: Iterable[Any], lr: float, rho: float, momentum: float, eps: float):
        super().__init__(params, {"lr": lr, "rho": rho, "momentum": momentum, "eps": eps, "weight_decay": 0.0})

    @torch.no_grad()
    # PyTorch declares two overloads, with and without a closure; only one is meant here
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """One step; ``closure`` is not supported."""
        if closure is not None:
            raise ValueError("RMSProp takes no closure")
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._move(weight, weight.grad, group)

    def _move(self, weight: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[weight]
        if not state:
            state["mean_square"] = torch.zeros_like(weight)
            state["velocity"] = torch.zeros_like(weight)
        gradient = gradient.add(weight, alpha=group["weight_decay"])
        state["mean_square"].mul_(group["rho"]).addcmul_(gradient, gradient, value=1 - group["rho"])
        scaled = gradient / (state["mean_square"] + group["eps"]).sqrt_()
        weight.sub_(state["velocity"].mul_(group["momentum"]).add_(scaled, alpha=group["lr"]))
