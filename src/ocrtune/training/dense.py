"""Ordinary 3x3 convolutions of large maps, whose weights learn fast on a CPU.

Without AVX-512, oneDNN sums the gradient of such weights two to four times faster over maps whose channels lie one
behind the other (NCHW) than over channels_last, in which everything else is faster: so it gets copies, which cost less.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ocrtune.training.compiled import can_compile, compiled, is_plain_float, maps_of, shares, together
from ocrtune.training.convolution import Geometry, convolve, gradient_of_weight, pads_with_zeros

_CHANNELS = 32  # fewer are faster as they are
_PIXELS = 4096  # of a map, likewise
_LINE = 16  # numbers that a line of the processor's cache holds


class DenseConv2d(nn.Conv2d):
    """A 3x3 ``nn.Conv2d``: same parameters, names and outputs; see the module for what differs."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H', W')."""
        learns = torch.is_grad_enabled() and self.weight.requires_grad
        if not learns or x.shape[2] * x.shape[3] < _PIXELS or not is_plain_float(x):
            return super().forward(x)
        return convolve(x, self.weight, self.bias, Geometry.of(self), _gradient_of_weight)


def speed_up_dense_(model: nn.Module) -> int:
    """Make each convolution of ``model`` that learns faster so a :class:`DenseConv2d`; their number.

    Parameters stay the same objects.
    """
    found = [layer for layer in model.modules() if type(layer) is nn.Conv2d and _is_dense(layer)]
    for layer in found:
        layer.__class__ = DenseConv2d
    return len(found)


def _is_dense(layer: nn.Conv2d) -> bool:
    simple = layer.groups == 1 and layer.dilation == (1, 1)
    return simple and pads_with_zeros(layer) and layer.kernel_size == (3, 3) and layer.in_channels >= _CHANNELS


def _gradient_of_weight(gradient: Tensor, x: Tensor, weight: Tensor, geometry: Geometry) -> Tensor:
    return gradient_of_weight(planes_of(gradient), planes_of(x), weight.contiguous(), geometry)


def planes_of(x: Tensor) -> Tensor:
    """(N, C, H, W) -> the same in NCHW, by a loop that writes whole lines of the cache; PyTorch's takes longer."""
    if x.is_contiguous() or not can_compile():
        return x.contiguous()
    samples, channels, height, width = x.shape
    planes = torch.empty(samples, channels, height * width)
    pixels = maps_of(x).reshape(samples, height * width, channels)
    lines = shares(samples * -(-height * width // _LINE))
    together(compiled(turn), [(pixels, planes.numpy(), *share) for share in lines])
    return planes.view(samples, channels, height, width)


def turn(pixels: NDArray[np.float32], planes: NDArray[np.float32], first: int, end: int) -> None:
    """Write into ``planes``, (N, C, P), the lines ``first`` to ``end`` of ``pixels``, (N, P, C).

    In the Python that numba compiles. The lines of all images are counted through.
    """
    count, channels = pixels.shape[1], pixels.shape[2]
    lines = (count + _LINE - 1) // _LINE
    for line in range(first, end):
        i, start = line // lines, line % lines * _LINE
        if start + _LINE <= count:
            for c in range(channels):
                for k in range(_LINE):
                    planes[i, c, start + k] = pixels[i, start + k, c]
        else:
            for c in range(channels):
                for p in range(start, count):
                    planes[i, c, p] = pixels[i, p, c]
