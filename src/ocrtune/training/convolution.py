"""A convolution that may get its gradients from functions of ours; all else is PyTorch's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from ocrtune.training.compiled import Rows, Sums, can_compile, compiled, rows_of, shares, together, wide
from ocrtune.training.elements import number

_BLOCK = 64  # rows that are added up before the sum goes to float64


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


Gradient = Callable[[Tensor, Tensor, Tensor, Geometry], Tensor]
"""(gradient of the output, input, weight, geometry) -> gradient of the weight, or of the input."""


class _Convolution(torch.autograd.Function):
    """See :func:`convolve`. found: the gradients of weight and input."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry, found: tuple[Gradient, Gradient]
    ) -> Tensor:
        cast = weight.to(x.dtype)
        ctx.save_for_backward(x, cast)
        ctx.geometry, ctx.found = geometry, found
        return F.conv2d(x, cast, None if bias is None else bias.to(x.dtype), *geometry)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        of_x = of_weight = of_bias = None
        if ctx.needs_input_grad[0]:
            of_x = ctx.found[1](gradient, x, weight, ctx.geometry)
        if ctx.needs_input_grad[1]:
            of_weight = ctx.found[0](gradient, x, weight, ctx.geometry).float()
        if ctx.needs_input_grad[2]:
            of_bias = channel_sums(gradient)
        return of_x, of_weight, of_bias, None, None


_apply: Callable[[Tensor, Tensor, Tensor | None, Geometry, tuple[Gradient, Gradient]], Tensor] = _Convolution.apply


def gradient_of_weight(gradient: Tensor, x: Tensor, weight: Tensor, geometry: Geometry) -> Tensor:
    """PyTorch's."""
    return _gradients(gradient, x, weight, geometry, [False, True, False])[1]


def gradient_of_input(gradient: Tensor, x: Tensor, weight: Tensor, geometry: Geometry) -> Tensor:
    """PyTorch's."""
    return _gradients(gradient, x, weight, geometry, [True, False, False])[0]


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    geometry: Geometry,
    of_weight: Gradient = gradient_of_weight,
    of_input: Gradient = gradient_of_input,
) -> Tensor:
    """``F.conv2d`` in the type of x, float32 or bfloat16; weight, bias and their gradients are float32."""
    return _apply(x, weight, bias, geometry, (of_weight, of_input))


def channel_sums(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (C,) float32, the gradient of a bias.

    Rows of pixels first: PyTorch adds up long rows several times faster than short ones.
    """
    if not x.is_contiguous(memory_format=torch.channels_last):
        return x.sum((0, 2, 3), dtype=torch.float32)
    samples, channels, height, width = x.shape
    if x.dtype == torch.bfloat16 and can_compile():  # PyTorch would make a copy in float32
        rows = wide(rows_of(x))
        cuts = shares(len(rows))
        sums = np.zeros((len(cuts), rows.shape[1]))
        together(compiled(add_columns), [(rows, total, *cut) for total, cut in zip(sums, cuts)])
        return torch.from_numpy(sums.reshape(-1, channels).sum(0).astype(np.float32))
    lines = x.permute(0, 2, 3, 1).reshape(samples * height, width * channels)
    return lines.sum(0, dtype=torch.float32).view(width, channels).sum(0)


def add_columns(x: Rows, total: Sums, first: int, end: int) -> None:
    """Add the rows ``first`` to ``end`` of ``x`` to ``total``, in the Python that numba compiles."""
    sums = np.zeros(x.shape[1], np.float32)
    for start in range(first, end, _BLOCK):
        sums[:] = 0
        for r in range(start, min(start + _BLOCK, end)):
            for c in range(x.shape[1]):
                sums[c] += number(x[r, c])
        for c in range(x.shape[1]):
            total[c] += sums[c]


def _gradients(
    gradient: Tensor, x: Tensor, weight: Tensor, geometry: Geometry, wanted: list[bool]
) -> tuple[Tensor, ...]:
    """PyTorch's gradients of input, weight and bias, those that are ``wanted``."""
    stride, padding, dilation, groups = geometry
    found: tuple[Tensor, ...] = torch.ops.aten.convolution_backward(
        gradient, x, weight, None, stride, padding, dilation, False, [0, 0], groups, wanted
    )
    return found
