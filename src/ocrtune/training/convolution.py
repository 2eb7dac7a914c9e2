"""A convolution whose weight and bias get their gradients from functions of ours; all else is PyTorch's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F


def pads_with_zeros(layer: nn.Conv2d) -> bool:
    """Whether a :class:`Geometry` says how ``layer`` pads."""
    return layer.padding_mode == "zeros" and not isinstance(layer.padding, str)


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
    """``F.conv2d``."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry, of_weight: OfWeight
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.geometry, ctx.of_weight = geometry, of_weight
        return F.conv2d(x, weight, bias, *geometry)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        of_x = of_weight = of_bias = None
        if ctx.needs_input_grad[0]:
            of_x = _gradient_of_input(gradient, x, weight, ctx.geometry)
        if ctx.needs_input_grad[1]:
            of_weight = ctx.of_weight(gradient, x, weight, ctx.geometry)
        if ctx.needs_input_grad[2]:
            of_bias = channel_sums(gradient)
        return of_x, of_weight, of_bias, None, None


convolution: Callable[[Tensor, Tensor, Tensor | None, Geometry, OfWeight], Tensor] = _Convolution.apply


def _gradient_of_input(gradient: Tensor, x: Tensor, weight: Tensor, geometry: Geometry) -> Tensor:
    stride, padding, dilation, groups = geometry
    depthwise = groups == weight.shape[0] == x.shape[1]
    if depthwise and max(dilation) > 1 and max(stride) == 1:
        # the same sum as a convolution of the gradient; oneDNN takes ten times as long for it as a gradient
        around = [step * (size - 1) - margin for step, size, margin in zip(dilation, weight.shape[2:], padding)]
        if min(around) >= 0:
            return F.conv2d(gradient, weight.flip(2, 3), None, 1, around, dilation, groups)
    return gradients(gradient, x, weight, geometry, [True, False, False])[0]


def channel_sums(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (C,), the gradient of a bias.

    Rows of pixels first: PyTorch adds up long rows several times faster than short ones.
    """
    if not x.is_contiguous(memory_format=torch.channels_last):
        return x.sum((0, 2, 3))
    samples, channels, height, width = x.shape
    rows = x.permute(0, 2, 3, 1).reshape(samples * height, width * channels)
    return rows.sum(0).view(width, channels).sum(0)


def gradients(
    gradient: Tensor, x: Tensor, weight: Tensor, geometry: Geometry, wanted: list[bool]
) -> tuple[Tensor, ...]:
    """PyTorch's gradients of input, weight and bias, those that are ``wanted``."""
    stride, padding, dilation, groups = geometry
    found: tuple[Tensor, ...] = torch.ops.aten.convolution_backward(
        gradient, x, weight, None, stride, padding, dilation, False, [0, 0], groups, wanted
    )
    return found
