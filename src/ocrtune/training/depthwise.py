"""Depthwise convolutions with large or dilated kernels, whose weights learn fast on a CPU.

For the gradient of such weights oneDNN has no fast kernel without AVX-512 (its verbose log says ``gemm:jit``): forward
and backward of a 5x5 layer of PP-OCRv2 recognition take two to four times as long as with the one here, and more where
the kernel is dilated; for a plain 3x3 oneDNN's is as fast (``benchmarks/depthwise_gradient.py``). The sum is the same,
in another order.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from ocrtune.training.compiled import Maps, can_compile, compiled, is_plain_float, maps_of, shares, together
from ocrtune.training.convolution import Geometry, convolution, pads_with_zeros

_SMALLEST = 5  # the longer side of a kernel from which on this is faster; any dilated one


class DepthwiseConv2d(nn.Conv2d):
    """A depthwise ``nn.Conv2d``: same parameters, names and outputs; see the module for what differs."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H', W')."""
        if not (torch.is_grad_enabled() and self.weight.requires_grad and is_plain_float(x)):
            return super().forward(x)
        return convolution(x, self.weight, self.bias, Geometry.of(self), _gradient_of_weight)


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
    return depthwise and pads_with_zeros(layer) and large


def _gradient_of_weight(gradient: Tensor, x: Tensor, weight: Tensor, geometry: Geometry) -> Tensor:
    maps, cuts = (maps_of(x), maps_of(gradient)), shares(gradient.shape[0] * gradient.shape[2])
    sums = np.zeros((len(cuts), *weight.shape[2:], weight.shape[0]), np.float32)
    steps = (*geometry.stride, *geometry.padding, *geometry.dilation)
    together(compiled(add_rows), [(*maps, total, *steps, *cut) for total, cut in zip(sums, cuts)])
    total = torch.from_numpy(sums.sum(axis=0))
    return total.permute(2, 0, 1)[:, None].contiguous()


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
    for row in range(first, end):
        i, out_y = row // out_height, row % out_height
        for ky in range(total.shape[0]):
            y = out_y * stride_y + ky * dilation_y - padding_y
            if y < 0 or y >= height:
                continue
            for kx in range(total.shape[1]):
                shift = kx * dilation_x - padding_x
                start = max(0, (stride_x - 1 - shift) // stride_x)
                stop = min(out_width, (width - 1 - shift) // stride_x + 1)
                fours = start + max(0, stop - start) // 4 * 4
                for g in range(start, fours, 4):
                    s = g * stride_x + shift
                    for c in range(channels):
                        total[ky, kx, c] += (
                            gradient[i, out_y, g, c] * x[i, y, s, c]
                            + gradient[i, out_y, g + 1, c] * x[i, y, s + stride_x, c]
                            + gradient[i, out_y, g + 2, c] * x[i, y, s + 2 * stride_x, c]
                            + gradient[i, out_y, g + 3, c] * x[i, y, s + 3 * stride_x, c]
                        )
                for g in range(fours, stop):
                    for c in range(channels):
                        total[ky, kx, c] += gradient[i, out_y, g, c] * x[i, y, g * stride_x + shift, c]
