"""Transposed convolutions whose bias learns fast on a CPU.

oneDNN adds up the gradient of the bias at a twentieth of the speed of memory, which is most of such a layer's gradient:
the heads of DB have two of them over the largest maps of the network. Here PyTorch's own sum does it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from ocrtune.training.compiled import is_plain_float


class FastConvTranspose2d(nn.ConvTranspose2d):
    """An ``nn.ConvTranspose2d`` with a bias: same parameters, names and outputs; see the module for what differs."""

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(N, C, H, W) -> (N, C', H', W')."""
        learns = torch.is_grad_enabled() and output_size is None and is_plain_float(x)
        if self.bias is None or not learns:
            return super().forward(x, output_size)
        geometry = self.stride, self.padding, self.output_padding, self.groups, self.dilation
        return _apply(x, self.weight, self.bias, geometry)


def speed_up_transposed_(model: nn.Module) -> int:
    """Make each ``nn.ConvTranspose2d`` of ``model`` with a bias a :class:`FastConvTranspose2d`; their number.

    Parameters stay the same objects.
    """
    found = [layer for layer in model.modules() if type(layer) is nn.ConvTranspose2d and layer.bias is not None]
    for layer in found:
        layer.__class__ = FastConvTranspose2d
    return len(found)


class _Transposed(torch.autograd.Function):
    """geometry: what ``F.conv_transpose2d`` takes beside tensors, in its order."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, geometry: tuple[Any, ...]) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.geometry = geometry
        return F.conv_transpose2d(x, weight, bias, *geometry)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        stride, padding, output_padding, groups, dilation = ctx.geometry
        wanted = [*ctx.needs_input_grad[:2], False]
        of_x, of_weight, _ = torch.ops.aten.convolution_backward(
            gradient, x, weight, None, stride, padding, dilation, True, output_padding, groups, wanted
        )
        return of_x, of_weight, _channel_sums(gradient) if ctx.needs_input_grad[2] else None, None


_apply: Callable[[Tensor, Tensor, Tensor, tuple[Any, ...]], Tensor] = _Transposed.apply


def _channel_sums(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (C,). Rows of pixels first: PyTorch adds up long rows several times faster than short ones."""
    samples, channels, height, width = x.shape
    rows = x.permute(0, 2, 3, 1).reshape(samples * height, width * channels)
    return rows.sum(0).view(width, channels).sum(0)
