"""BatchNorm in training, with the activation behind it, in one go on a CPU.

PyTorch reads and writes the map once for each of them, and its BatchNorm does so slowly in channels_last: here mean and
variance take one pass, normalisation and activation another, and nothing is kept between them for the gradient but the
input. Outputs, gradients and running statistics are PyTorch's but for rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ocrtune.models.activated import ActivatedNorm, Activation
from ocrtune.training.compiled import (
    Rows,
    Sums,
    can_compile,
    compiled,
    empty_rows_like,
    is_readable,
    rows_of,
    shares,
    together,
    wide,
)
from ocrtune.training.elements import number, stored, values_of

PerChannel = NDArray[np.float32]
_SMALLEST = 2**15  # numbers of a map from which on this is faster
_BLOCK = 64  # rows that are added up before the sum goes to float64
_PROBES = 16  # rows whose mean is near enough to the channel's for exact sums of squares
_CODES: dict[Activation, int] = {"none": 0, "relu": 1, "hardswish": 2}


class FastBatchNorm2d(ActivatedNorm):
    """An ``nn.BatchNorm2d``: same parameters, names and outputs; see the module for what differs."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W), kept."""
        return self.activated(x, "none")

    def activated(self, x: Tensor, activation: Activation) -> Tensor:
        """``activation`` of the normalised x; (N, C, H, W), kept."""
        if not self._pays(x):
            return super().activated(x, activation)
        y, mean, variance = _apply(x, self.weight, self.bias, self.eps, _CODES[activation])
        if self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None:
            assert self.momentum is not None
            count = x.numel() // x.shape[1]
            with torch.no_grad():
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
                self.num_batches_tracked += 1
        return y

    def _pays(self, x: Tensor) -> bool:
        """Whether this is training as usual, on a map that is large enough to be worth it."""
        usual = self.training and self.affine and self.momentum is not None and is_readable(x)
        return usual and x.numel() >= _SMALLEST and x.is_contiguous(memory_format=torch.channels_last)


def speed_up_batch_norm_(model: nn.Module) -> int:
    """Make each ``nn.BatchNorm2d`` of ``model`` a :class:`FastBatchNorm2d`; their number.

    Parameters stay the same objects. Nothing is done where numba (the ``train`` extra) is missing.
    """
    found = [layer for layer in model.modules() if type(layer) is nn.BatchNorm2d] if can_compile() else []
    for layer in found:
        layer.__class__ = FastBatchNorm2d
    return len(found)


class Scaling(NamedTuple):
    """What is done to a channel before the activation: ``(x - mean) * scale + shift``."""

    mean: PerChannel
    scale: PerChannel
    shift: PerChannel

    def along(self, rows: Rows) -> tuple[PerChannel, ...]:
        """For each column of ``rows``, which hold one pixel or several."""
        return tuple(_along(values, rows) for values in self)


class _BatchNorm(torch.autograd.Function):
    """-> (activated, mean, biased variance); weight, bias, mean and variance: (C,)."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float, activation: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        mean, variance = _moments(rows_of(x))
        spread = np.sqrt(variance + eps)
        scaling = Scaling(
            mean.astype(np.float32),
            (weight.detach().numpy() / spread).astype(np.float32),
            bias.detach().numpy(),
        )
        y, out = empty_rows_like(x)
        rows = wide(rows_of(x))
        given = rows, wide(out), *scaling.along(rows), activation
        together(compiled(normalise), [(*given, *share) for share in shares(len(rows))])
        ctx.save_for_backward(x)
        ctx.scaling, ctx.spread, ctx.activation = scaling, spread, activation
        found = torch.from_numpy(scaling.mean), torch.from_numpy(variance.astype(np.float32))
        ctx.mark_non_differentiable(*found)
        return y, *found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        (x,) = ctx.saved_tensors
        rows, of_y = wide(rows_of(x)), wide(rows_of(gradient))
        count = x.numel() // x.shape[1]
        cuts = shares(len(rows))
        sums = np.zeros((len(cuts), 2, rows.shape[1]))
        given = rows, of_y, *ctx.scaling.along(rows), ctx.activation
        together(compiled(add_gradients), [(*given, *total, *cut) for total, cut in zip(sums, cuts)])
        total, product = _by_channel(sums, x.shape[1])
        of_x = None
        if ctx.needs_input_grad[0]:
            of_x, out = empty_rows_like(x)
            constant = _along((total / count).astype(np.float32), rows)
            slope = _along((product / ctx.spread**2 / count).astype(np.float32), rows)
            together(compiled(hand_back), [(*given, wide(out), constant, slope, *cut) for cut in cuts])
        of_weight = torch.from_numpy((product / ctx.spread).astype(np.float32))
        return of_x, of_weight, torch.from_numpy(total.astype(np.float32)), None, None


_apply: Callable[[Tensor, Tensor, Tensor, float, int], tuple[Tensor, Tensor, Tensor]] = _BatchNorm.apply


def _moments(pixels: Rows) -> tuple[Sums, Sums]:
    """Mean and biased variance of each channel."""
    count, channels = pixels.shape
    centre = values_of(pixels[:: max(1, count // _PROBES)]).mean(0)
    rows = wide(pixels)
    cuts = shares(len(rows))
    sums = np.zeros((len(cuts), 2, rows.shape[1]))
    given = rows, _along(centre, rows)
    together(compiled(add_moments), [(*given, *total, *cut) for total, cut in zip(sums, cuts)])
    shifted, square = _by_channel(sums, channels) / count
    return centre + shifted, np.maximum(square - shifted**2, 0)


def _along(values: PerChannel, rows: Rows) -> PerChannel:
    """(C,) -> (k C,): for each column of ``rows`` of k pixels."""
    return np.tile(values, rows.shape[1] // len(values))


def _by_channel(sums: Sums, channels: int) -> Sums:
    """(shares, 2, k C) -> (2, C)."""
    found: Sums = sums.reshape(len(sums), 2, -1, channels).sum((0, 2))
    return found


def add_moments(x: Rows, centre: PerChannel, total: Sums, square: Sums, first: int, end: int) -> None:
    """Add to ``total`` and ``square`` the rows ``first`` to ``end`` of ``x - centre``, and their squares.

    In the Python that numba compiles, as all that follows. Four rows at a time: sums are then read and written once.
    """
    channels = x.shape[1]
    s, q = np.zeros(channels, np.float32), np.zeros(channels, np.float32)
    for start in range(first, end, _BLOCK):
        stop = min(start + _BLOCK, end)
        fours = start + (stop - start) // 4 * 4
        s[:] = 0
        q[:] = 0
        for r in range(start, fours, 4):
            for c in range(channels):
                a, b = number(x[r, c]) - centre[c], number(x[r + 1, c]) - centre[c]
                d, e = number(x[r + 2, c]) - centre[c], number(x[r + 3, c]) - centre[c]
                s[c] += (a + b) + (d + e)
                q[c] += (a * a + b * b) + (d * d + e * e)
        for r in range(fours, stop):
            for c in range(channels):
                a = number(x[r, c]) - centre[c]
                s[c] += a
                q[c] += a * a
        for c in range(channels):
            total[c] += s[c]
            square[c] += q[c]


def normalise(
    x: Rows, y: Rows, mean: PerChannel, scale: PerChannel, shift: PerChannel, activation: int, first: int, end: int
) -> None:
    """Write the activation of ``(x - mean) * scale + shift`` into the rows ``first`` to ``end`` of ``y``."""
    for r in range(first, end):
        for c in range(x.shape[1]):
            z = (number(x[r, c]) - mean[c]) * scale[c] + shift[c]
            if activation == 1:
                z = np.float32(0) if z < np.float32(0) else z
            elif activation == 2:
                z = z * min(max(z + np.float32(3), np.float32(0)), np.float32(6)) * np.float32(1 / 6)
            y[r, c] = stored(z, y)


def add_gradients(
    x: Rows,
    gradient: Rows,
    mean: PerChannel,
    scale: PerChannel,
    shift: PerChannel,
    activation: int,
    total: Sums,
    product: Sums,
    first: int,
    end: int,
) -> None:
    """Add up d, the gradient in front of the activation, and ``d * (x - mean)``, over the rows ``first`` to ``end``.

    gradient: that behind the activation.
    """
    channels = x.shape[1]
    s, q = np.zeros(channels, np.float32), np.zeros(channels, np.float32)
    for start in range(first, end, _BLOCK):
        s[:] = 0
        q[:] = 0
        for r in range(start, min(start + _BLOCK, end)):
            for c in range(channels):
                a, d = number(x[r, c]) - mean[c], number(gradient[r, c])
                z = a * scale[c] + shift[c]
                if activation == 1:
                    d = d if z > np.float32(0) else np.float32(0)
                elif activation == 2:
                    slope = z * np.float32(1 / 3) + np.float32(0.5)
                    slope = np.float32(0) if z <= np.float32(-3) else slope
                    d = d * (np.float32(1) if z >= np.float32(3) else slope)
                s[c] += d
                q[c] += d * a
        for c in range(channels):
            total[c] += s[c]
            product[c] += q[c]


def hand_back(
    x: Rows,
    gradient: Rows,
    mean: PerChannel,
    scale: PerChannel,
    shift: PerChannel,
    activation: int,
    out: Rows,
    constant: PerChannel,
    slope_of_x: PerChannel,
    first: int,
    end: int,
) -> None:
    """Write ``scale * (d - constant - slope_of_x * (x - mean))`` into rows of ``out``; d: see :func:`add_gradients`."""
    for r in range(first, end):
        for c in range(x.shape[1]):
            a, d = number(x[r, c]) - mean[c], number(gradient[r, c])
            z = a * scale[c] + shift[c]
            if activation == 1:
                d = d if z > np.float32(0) else np.float32(0)
            elif activation == 2:
                slope = z * np.float32(1 / 3) + np.float32(0.5)
                slope = np.float32(0) if z <= np.float32(-3) else slope
                d = d * (np.float32(1) if z >= np.float32(3) else slope)
            out[r, c] = stored(scale[c] * (d - constant[c] - slope_of_x[c] * a), out)
