"""A BatchNorm and the activation behind it, which some BatchNorms compute together."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

Activation = Literal["none", "relu", "hardswish"]


class ActivatedNorm(nn.BatchNorm2d):
    """A BatchNorm that is told of the activation behind it, and may compute both together."""

    def activated(self, x: Tensor, activation: Activation) -> Tensor:
        """``activation`` of the normalised x; (N, C, H, W), kept."""
        return activate(super().forward(x), activation)


def activated(norm: nn.Module, x: Tensor, activation: Activation) -> Tensor:
    """``activation(norm(x))``; (N, C, H, W), kept. norm: a BatchNorm, or what folding left of it."""
    if isinstance(norm, ActivatedNorm):
        return norm.activated(x, activation)
    return activate(norm(x), activation)


def activate(x: Tensor, activation: Activation) -> Tensor:
    """``activation(x)``; any shape, kept."""
    if activation == "relu":
        return F.relu(x)
    return F.hardswish(x) if activation == "hardswish" else x
