"""Moments of the patches that a depthwise convolution reads, channel by channel, on a CPU.

A patch is what lies under the kernel at one place of the output. Without the edges of the image, the sum of products of
two of its values would depend on their distance alone. So with stride 1 the second moments are the autocorrelation of
the image, minus what the places just outside of the output would add; with a larger stride they are added up directly.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from ocrtune.training.compiled import Maps, compiled, maps_of, shares, together
from ocrtune.training.convolution import channel_sums
from ocrtune.training.depthwise import add_rows
from ocrtune.training.elements import number, stored

_ROWS = 16  # of an image, added up before the sum goes to float64
Window = tuple[int, int, int, int]  # places of an output: from a row to a row, from a column to one; without the ends


def patch_moments(x: Tensor, size: int, stride: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Sums over all places of the patches and of the products of two of their values.

    x: (N, C, H, W) float32 or bfloat16, best in channels_last. size: of the square kernel, odd; half of it is padded
    with 0. -> (C, size^2) and (C, size^2, size^2), float64, the values of a patch counted row by row.
    """
    apply: Callable[[Tensor, int, tuple[int, int]], tuple[Tensor, Tensor]] = _PatchMoments.apply
    return apply(x, size, stride)


class _PatchMoments(torch.autograd.Function):
    """See :func:`patch_moments`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, size: int, stride: tuple[int, int]) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(x)
        ctx.geometry = (size, stride)
        maps, taps = maps_of(x), size * size
        places = _windows(x.shape[2], x.shape[3], size, stride)
        cuts = shares(x.shape[0])
        sums = np.zeros((len(cuts), taps + 1, taps, x.shape[1]))
        together(compiled(add_products), [(maps, total, size, stride, places, *cut) for total, cut in zip(sums, cuts)])
        found = _parts(torch.from_numpy(sums.sum(0)))
        return found if stride != (1, 1) else _but(_of_all_places(x, maps, size), found)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_sums: Tensor, of_products: Tensor) -> tuple[Tensor, None, None]:
        (x,) = ctx.saved_tensors
        size, stride = ctx.geometry
        factors = torch.cat((of_products + of_products.mT, of_sums[:, None]), 1).float()  # (C, taps + 1, taps)
        if stride == (1, 1):
            kernel, shift = _by_distance(factors[:, :-1], size), factors[:, -1].sum(1)
            kernel, shift = kernel.to(x.dtype), shift.to(x.dtype)
            gradient = F.conv2d(x, kernel, shift, padding=size - 1, groups=x.shape[1])
            gradient, factors = gradient.contiguous(memory_format=torch.channels_last), -factors
        else:
            gradient = torch.zeros_like(x, dtype=torch.float32, memory_format=torch.channels_last)
        weights = factors.permute(1, 2, 0).contiguous().numpy()
        maps, places = maps_of(x), _windows(x.shape[2], x.shape[3], size, stride)
        jobs = [(maps, weights, maps_of(gradient), size, stride, places, *cut) for cut in shares(x.shape[0])]
        together(compiled(spread_products), jobs)
        return gradient.to(x.dtype), None, None


def _of_all_places(x: Tensor, maps: Maps, size: int) -> tuple[Tensor, Tensor]:
    """The moments with stride 1 where the output is so large that no patch beyond it touches the image."""
    rows_of = compiled(add_rows)
    images, height, _, channels = maps.shape
    rows, reach = images * height, size - 1
    starts = range(0, rows, _ROWS)
    pieces = np.zeros((len(starts), size, 2 * size - 1, channels), np.float32)  # distances: down, right of -reach

    def add(first: int, end: int) -> None:
        for piece, start in zip(pieces[first:end], starts[first:end]):
            rows_of(maps, maps, piece, 1, 1, 0, reach, 1, 1, start, min(start + _ROWS, rows))

    together(add, shares(len(starts)))
    total = pieces.sum(0, dtype=np.float64)
    correlation = torch.from_numpy(np.concatenate((total[:0:-1, ::-1], total)))
    products = correlation.flatten(0, 1)[_distances(size)]  # (taps, taps, C)
    values = channel_sums(x).double()
    return values[:, None].expand(-1, size * size), products.permute(2, 0, 1)


def _but(all_places: tuple[Tensor, Tensor], outside: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    return all_places[0] - outside[0], all_places[1] - outside[1]


def _parts(sums: Tensor) -> tuple[Tensor, Tensor]:
    """(taps + 1, taps, C), of the products the lower half alone -> (C, taps), (C, taps, taps)."""
    lower = sums[:-1].permute(2, 0, 1)
    return sums[-1].t().contiguous(), lower + lower.tril(-1).mT


def _distances(size: int) -> Tensor:
    """(taps, taps): by two places of a kernel, the number of their distance in a window of 2 size - 1."""
    place = torch.arange(size * size)
    down = place[None] // size - place[:, None] // size + size - 1
    right = place[None] % size - place[:, None] % size + size - 1
    return down * (2 * size - 1) + right


def _by_distance(factors: Tensor, size: int) -> Tensor:
    """(C, taps, taps) -> (C, 1, 2 size - 1, 2 size - 1): sums over the pairs of equal distance."""
    side = 2 * size - 1
    kernel = factors.new_zeros(factors.shape[0], side * side)
    kernel.index_add_(1, _distances(size).flatten(), factors.flatten(1))
    return kernel.view(-1, 1, side, side)


def _windows(height: int, width: int, size: int, stride: tuple[int, int]) -> tuple[Window, ...]:
    """The places of the output; with stride 1 those around it whose patches still touch the image."""
    if stride != (1, 1):
        return ((0, (height - 1) // stride[0] + 1, 0, (width - 1) // stride[1] + 1),)
    margin = size // 2
    above = (-margin, 0, -margin, width + margin)
    below = (height, height + margin, -margin, width + margin)
    return above, below, (0, height, -margin, 0), (0, height, width, width + margin)


def add_products(
    x: Maps,
    sums: NDArray[np.float64],
    size: int,
    stride: tuple[int, int],
    windows: tuple[Window, ...],
    first: int,
    end: int,
) -> None:
    """Add the moments of a window's patches to ``sums``, in the Python that numba compiles.

    x: (N, H, W, C). sums: (taps + 1, taps, C): products of the taps k and l <= k, last the taps themselves.
    """
    height, width, channels = x.shape[1], x.shape[2], x.shape[3]
    margin, taps = size // 2, size * size
    row = np.zeros((taps + 1, taps, channels), np.float32)
    for i in range(first, end):
        for top, bottom, left, right in windows:
            for out_y in range(top, bottom):
                if (out_y - top) % _ROWS == 0:
                    row[:] = 0
                for out_x in range(left, right):
                    for k in range(taps):
                        y, s = out_y * stride[0] + k // size - margin, out_x * stride[1] + k % size - margin
                        if y < 0 or y >= height or s < 0 or s >= width:
                            continue
                        for c in range(channels):
                            row[taps, k, c] += number(x[i, y, s, c])
                        for other in range(k + 1):
                            v = out_y * stride[0] + other // size - margin
                            u = out_x * stride[1] + other % size - margin
                            if v < 0 or v >= height or u < 0 or u >= width:
                                continue
                            for c in range(channels):
                                row[k, other, c] += number(x[i, y, s, c]) * number(x[i, v, u, c])
                if (out_y - top) % _ROWS != _ROWS - 1 and out_y != bottom - 1:
                    continue
                for k in range(taps + 1):
                    for other in range(taps):
                        for c in range(channels):
                            sums[k, other, c] += row[k, other, c]


def spread_products(
    x: Maps,
    factors: Maps,
    gradient: Maps,
    size: int,
    stride: tuple[int, int],
    windows: tuple[Window, ...],
    first: int,
    end: int,
) -> None:
    """Add to ``gradient`` what a window's patches hand back, in the Python that numba compiles.

    x, gradient: (N, H, W, C). factors: (taps + 1, taps, C): of the tap l for the tap k, last of each tap by itself.
    """
    height, width, channels = x.shape[1], x.shape[2], x.shape[3]
    margin, taps = size // 2, size * size
    value = np.zeros(channels, np.float32)
    for i in range(first, end):
        for top, bottom, left, right in windows:
            for out_y in range(top, bottom):
                for out_x in range(left, right):
                    for k in range(taps):
                        y, s = out_y * stride[0] + k // size - margin, out_x * stride[1] + k % size - margin
                        if y < 0 or y >= height or s < 0 or s >= width:
                            continue
                        for c in range(channels):
                            value[c] = factors[taps, k, c]
                        for other in range(taps):
                            v = out_y * stride[0] + other // size - margin
                            u = out_x * stride[1] + other % size - margin
                            if v < 0 or v >= height or u < 0 or u >= width:
                                continue
                            for c in range(channels):
                                value[c] += factors[k, other, c] * number(x[i, v, u, c])
                        for c in range(channels):
                            gradient[i, y, s, c] = stored(number(gradient[i, y, s, c]) + value[c], gradient)
