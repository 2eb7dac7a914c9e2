"""Depthwise convolutions with large or dilated kernels or strides, which learn fast on a CPU.

For the gradient of weights of 5x5 and more oneDNN has no fast kernel without AVX-512 (its verbose log says
``gemm:jit``), nor in bfloat16 with it: forward and backward of a layer of PP-OCRv2 recognition take two to four times
as long as with the one here, in bfloat16 ten times, and more where the kernel is dilated; for a plain 3x3 oneDNN's is
as fast (``benchmarks/depthwise_gradient.py``). Nor has it a fast bfloat16 gradient of the input where the stride is
larger than 1. The sums are the same, in another order and in float32.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from ocrtune.training.compiled import Maps, can_compile, compiled, computed, empty_rows, maps_of, shares, together
from ocrtune.training.convolution import Geometry, convolve, gradient_of_input, gradient_of_weight, pads_with_zeros
from ocrtune.training.elements import line, stored

_SMALLEST = 5  # the longer side of a kernel from which on this is faster; any dilated one


class DepthwiseConv2d(nn.Conv2d):
    """A depthwise ``nn.Conv2d``: same parameters, names and outputs; see the module for what differs."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H', W')."""
        cast = computed(x) if torch.is_grad_enabled() and self.weight.requires_grad else None
        if cast is None:
            return super().forward(x)
        return convolve_depthwise(cast, self.weight, self.bias, Geometry.of(self))


def convolve_depthwise(x: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    """:func:`ocrtune.training.convolution.convolve` of a depthwise weight, with the gradients of this module."""
    return convolve(x, weight, bias, geometry, _gradient_of_weight, _gradient_of_input)


def speed_up_depthwise_(model: nn.Module) -> int:
    """Make each convolution of ``model`` that learns faster so a :class:`DepthwiseConv2d`; their number.

    Parameters stay the same objects. Nothing is done where numba (the ``train`` extra) is missing.
    """
    if not can_compile():
        return 0
    found = [layer for layer in model.modules() if type(layer) is nn.Conv2d and _is_slow_depthwise(layer)]
    for layer in found:
        layer.__class__ = DepthwiseConv2d
    return len(found)


def _is_slow_depthwise(layer: nn.Conv2d) -> bool:
    depthwise = layer.groups == layer.in_channels == layer.out_channels > 1
    large = max(layer.kernel_size) >= _SMALLEST or (max(layer.dilation) > 1 and max(layer.kernel_size) > 1)
    return depthwise and pads_with_zeros(layer) and (large or max(layer.stride) > 1)


def _gradient_of_weight(gradient: Tensor, x: Tensor, weight: Tensor, geometry: Geometry) -> Tensor:
    if max(weight.shape[2:]) < _SMALLEST and max(geometry.dilation) == 1:
        return gradient_of_weight(gradient, x, weight, geometry)
    maps, cuts = (maps_of(x), maps_of(gradient)), shares(gradient.shape[0] * gradient.shape[2])
    sums = np.zeros((len(cuts), *weight.shape[2:], weight.shape[0]), np.float32)
    steps = (*geometry.stride, *geometry.padding, *geometry.dilation)
    together(compiled(add_rows), [(*maps, total, *steps, *cut) for total, cut in zip(sums, cuts)])
    total = torch.from_numpy(sums.sum(axis=0))
    return total.permute(2, 0, 1)[:, None].contiguous()


def _gradient_of_input(gradient: Tensor, x: Tensor, weight: Tensor, geometry: Geometry) -> Tensor:
    if max(geometry.stride) > 1 and x.dtype == torch.bfloat16:
        found, _ = empty_rows(x.shape, x.dtype)
        taps = weight.float()[:, 0].permute(1, 2, 0).contiguous().numpy()
        given = maps_of(gradient), taps, maps_of(found), *geometry.stride, *geometry.padding, *geometry.dilation
        together(compiled(hand_back), [(*given, *cut) for cut in shares(x.shape[0] * x.shape[2])])
        return found
    if max(geometry.stride) == 1 and max(geometry.dilation) > 1:
        # the same sum as a convolution of the gradient; oneDNN takes ten times as long for it as a gradient
        sides = zip(geometry.dilation, weight.shape[2:], geometry.padding)
        around = [step * (size - 1) - margin for step, size, margin in sides]
        if min(around) >= 0:
            return F.conv2d(gradient, weight.flip(2, 3), None, 1, around, geometry.dilation, geometry.groups)
    return gradient_of_input(gradient, x, weight, geometry)


def add_rows(
    x: Maps,
    gradient: Maps,
    total: Maps,
    stride_y: int,
    stride_x: int,
    padding_y: int,
    padding_x: int,
    dilation_y: int,
    dilation_x: int,
    first: int,
    end: int,
) -> None:
    """Add to ``total`` what the rows ``first`` to ``end`` of ``gradient`` give, in the Python that numba compiles.

    x: (N, H, W, C). gradient: (N, H', W', C), whose N times H' rows are counted through. total: (kh, kw, C). Four
    columns at a time: the sum is then read and written once for four products.
    """
    height, width, channels = x.shape[1], x.shape[2], x.shape[3]
    out_height, out_width = gradient.shape[1], gradient.shape[2]
    rooms = np.empty((2, max(width, out_width), channels), np.float32)
    for row in range(first, end):
        i, out_y = row // out_height, row % out_height
        d = line(gradient[i, out_y], rooms[0])
        for ky in range(total.shape[0]):
            y = out_y * stride_y + ky * dilation_y - padding_y
            if y < 0 or y >= height:
                continue
            z = line(x[i, y], rooms[1])
            for kx in range(total.shape[1]):
                shift = kx * dilation_x - padding_x
                start = max(0, (stride_x - 1 - shift) // stride_x)
                stop = min(out_width, (width - 1 - shift) // stride_x + 1)
                fours = start + max(0, stop - start) // 4 * 4
                for g in range(start, fours, 4):
                    s = g * stride_x + shift
                    for c in range(channels):
                        total[ky, kx, c] += (
                            d[g, c] * z[s, c]
                            + d[g + 1, c] * z[s + stride_x, c]
                            + d[g + 2, c] * z[s + 2 * stride_x, c]
                            + d[g + 3, c] * z[s + 3 * stride_x, c]
                        )
                for g in range(fours, stop):
                    for c in range(channels):
                        total[ky, kx, c] += d[g, c] * z[g * stride_x + shift, c]


def hand_back(
    gradient: Maps,
    weight: NDArray[np.float32],
    out: Maps,
    stride_y: int,
    stride_x: int,
    padding_y: int,
    padding_x: int,
    dilation_y: int,
    dilation_x: int,
    first: int,
    end: int,
) -> None:
    """Write the gradient of the input into its rows ``first`` to ``end``, in the Python that numba compiles.

    gradient: (N, H', W', C), of the output. weight: (kh, kw, C). out: (N, H, W, C), whose N times H rows are counted
    through.
    """
    height, width, channels = out.shape[1], out.shape[2], out.shape[3]
    out_height, out_width = gradient.shape[1], gradient.shape[2]
    room, sums = np.empty((out_width, channels), np.float32), np.empty((width, channels), np.float32)
    for row in range(first, end):
        i, y = row // height, row % height
        sums[:] = 0
        for ky in range(weight.shape[0]):
            reach = y + padding_y - ky * dilation_y
            if reach < 0 or reach % stride_y or reach // stride_y >= out_height:
                continue
            d = line(gradient[i, reach // stride_y], room)
            for kx in range(weight.shape[1]):
                shift = kx * dilation_x - padding_x
                start = max(0, (stride_x - 1 - shift) // stride_x)
                for g in range(start, min(out_width, (width - 1 - shift) // stride_x + 1)):
                    for c in range(channels):
                        sums[g * stride_x + shift, c] += d[g, c] * weight[ky, kx, c]
        for s in range(width):
            for c in range(channels):
                out[i, y, s, c] = stored(sums[s, c], out)
