"""Ordinary 3x3 convolutions of large maps, whose weights learn fast on a CPU.

Without AVX-512, oneDNN sums the gradient of such weights two to four times faster over maps whose channels lie one
behind the other (NCHW) than over channels_last, in which everything else is faster: so it gets copies, which cost less.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from ocrtune.training.depthwise import is_plain_float

_CHANNELS = 32  # fewer are faster as they are
_PIXELS = 4096  # of a map, likewise


class DenseConv2d(nn.Conv2d):
    """A 3x3 ``nn.Conv2d`` without bias: same parameters, names and outputs; see the module for what differs."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H', W')."""
        learns = torch.is_grad_enabled() and self.weight.requires_grad
        if not learns or x.shape[2] * x.shape[3] < _PIXELS or not is_plain_float(x):
            return super().forward(x)
        y: Tensor = _Dense.apply(x, self.weight, self.stride, self.padding)  # type: ignore[no-untyped-call]  # autograd's
        return y


def speed_up_dense_(model: nn.Module) -> int:
    """Make each convolution of ``model`` that learns faster so a :class:`DenseConv2d`; their number.

    Parameters stay the same objects.
    """
    found = [layer for layer in model.modules() if type(layer) is nn.Conv2d and _is_dense(layer)]
    for layer in found:
        layer.__class__ = DenseConv2d
    return len(found)


def _is_dense(layer: nn.Conv2d) -> bool:
    simple = layer.groups == 1 and layer.dilation == (1, 1) and layer.bias is None
    zeros = layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
    return simple and zeros and layer.kernel_size == (3, 3) and layer.in_channels >= _CHANNELS


class _Dense(torch.autograd.Function):
    """``F.conv2d`` without bias, with the gradient of the weight from NCHW."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: Any, padding: Any) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.geometry = (stride, padding)
        return F.conv2d(x, weight, None, stride, padding)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        of_x = of_weight = None
        if ctx.needs_input_grad[0]:
            of_x = _gradients((gradient, x, weight), ctx.geometry, [True, False, False])[0]
        if ctx.needs_input_grad[1]:
            in_rows = gradient.contiguous(), x.contiguous(), weight.contiguous()
            of_weight = _gradients(in_rows, ctx.geometry, [False, True, False])[1]
        return of_x, of_weight, None, None


def _gradients(of: tuple[Tensor, Tensor, Tensor], geometry: Any, wanted: list[bool]) -> tuple[Tensor, ...]:
    """of: the gradient of the output, the input, the weight. geometry: stride, padding."""
    found: tuple[Tensor, ...] = torch.ops.aten.convolution_backward(
        *of, None, *geometry, [1, 1], False, [0, 0], 1, wanted
    )
    return found
