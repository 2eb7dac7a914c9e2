"""Convolutions with a bias that learns fast on a CPU: all of a network whose BatchNorm is folded, and the heads of DB.

oneDNN adds up the gradient of the bias far below the speed of memory: in the transposed convolutions of DB's heads,
over the largest maps of the network, that takes longer than all else that they do. Here PyTorch's own sum does it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from ocrtune.training.compiled import computed
from ocrtune.training.convolution import Geometry, channel_sums, convolve, pads_with_zeros

_SMALLEST = 2**15  # numbers of a map from which on this is faster


class BiasedConv2d(nn.Conv2d):
    """An ``nn.Conv2d`` with a bias: same parameters, names and outputs; see the module for what differs."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H', W')."""
        cast = computed(x) if torch.is_grad_enabled() and x.numel() >= _SMALLEST else None
        if cast is None:
            return super().forward(x)
        return convolve(cast, self.weight, self.bias, Geometry.of(self))


class FastConvTranspose2d(nn.ConvTranspose2d):
    """An ``nn.ConvTranspose2d`` with a bias: same parameters, names and outputs; see the module for what differs."""

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(N, C, H, W) -> (N, C', H', W')."""
        cast = computed(x) if torch.is_grad_enabled() and output_size is None else None
        if self.bias is None or cast is None:
            return super().forward(x, output_size)
        geometry = self.stride, self.padding, self.output_padding, self.groups, self.dilation
        return _apply(cast, self.weight, self.bias, geometry)


def speed_up_biased_(model: nn.Module) -> int:
    """Make each convolution of ``model`` with a bias a layer of this module, but for depthwise ones; their number.

    Parameters stay the same objects.
    """
    found = 0
    for layer in model.modules():
        if type(layer) is nn.ConvTranspose2d and layer.bias is not None:
            layer.__class__ = FastConvTranspose2d
            found += 1
        elif type(layer) is nn.Conv2d and layer.bias is not None and layer.groups == 1 and pads_with_zeros(layer):
            layer.__class__ = BiasedConv2d
            found += 1
    return found


class _Transposed(torch.autograd.Function):
    """geometry: what ``F.conv_transpose2d`` takes beside tensors, in its order."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, geometry: tuple[Any, ...]) -> Tensor:
        cast = weight.to(x.dtype)
        ctx.save_for_backward(x, cast)
        ctx.geometry = geometry
        return F.conv_transpose2d(x, cast, bias.to(x.dtype), *geometry)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        stride, padding, output_padding, groups, dilation = ctx.geometry
        wanted = [*ctx.needs_input_grad[:2], False]
        of_x, of_weight, _ = torch.ops.aten.convolution_backward(
            gradient, x, weight, None, stride, padding, dilation, True, output_padding, groups, wanted
        )
        of_weight = of_weight if of_weight is None else of_weight.float()
        return of_x, of_weight, channel_sums(gradient) if ctx.needs_input_grad[2] else None, None


_apply: Callable[[Tensor, Tensor, Tensor, tuple[Any, ...]], Tensor] = _Transposed.apply
