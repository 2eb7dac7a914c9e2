"""A convolution whose weight gets its gradient from a function of ours; all else is PyTorch's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F


class Geometry(NamedTuple):
    """What ``F.conv2d`` takes beside tensors, in its order."""

    stride: Any
    padding: Any
    dilation: Any
    groups: int

    @classmethod
    def of(cls, layer: nn.Conv2d) -> Geometry:
        return cls(layer.stride, layer.padding, layer.dilation, layer.groups)


OfWeight = Callable[[Tensor, Tensor, Tensor, Geometry], Tensor]
"""(gradient of the output, input, weight, geometry) -> gradient of the weight."""


class _Convolution(torch.autograd.Function):
    """``F.conv2d`` without bias."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, geometry: Geometry, of_weight: OfWeight) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.geometry, ctx.of_weight = geometry, of_weight
        return F.conv2d(x, weight, None, *geometry)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        of_x = of_weight = None
        if ctx.needs_input_grad[0]:
            of_x = _gradient_of_input(gradient, x, weight, ctx.geometry)
        if ctx.needs_input_grad[1]:
            of_weight = ctx.of_weight(gradient, x, weight, ctx.geometry)
        return of_x, of_weight, None, None


convolution: Callable[[Tensor, Tensor, Geometry, OfWeight], Tensor] = _Convolution.apply


def _gradient_of_input(gradient: Tensor, x: Tensor, weight: Tensor, geometry: Geometry) -> Tensor:
    stride, padding, dilation, groups = geometry
    depthwise = groups == weight.shape[0] == x.shape[1]
    if depthwise and max(dilation) > 1 and max(stride) == 1:
        # the same sum as a convolution of the gradient; oneDNN takes ten times as long for it as a gradient
        around = [step * (size - 1) - margin for step, size, margin in zip(dilation, weight.shape[2:], padding)]
        if min(around) >= 0:
            return F.conv2d(gradient, weight.flip(2, 3), None, 1, around, dilation, groups)
    return gradients(gradient, x, weight, geometry, [True, False, False])[0]


def gradients(
    gradient: Tensor, x: Tensor, weight: Tensor, geometry: Geometry, wanted: list[bool]
) -> tuple[Tensor, ...]:
    """PyTorch's gradients of input, weight and bias, those that are ``wanted``."""
    stride, padding, dilation, groups = geometry
    found: tuple[Tensor, ...] = torch.ops.aten.convolution_backward(
        gradient, x, weight, None, stride, padding, dilation, False, [0, 0], groups, wanted
    )
    return found
