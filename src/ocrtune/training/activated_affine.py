"""Hard swish and the affine layer behind it, as PPLCNetV3 has them, in one pass on a CPU.

PyTorch makes five passes over the map of it, and eleven for the gradients. Outputs and gradients are the same but for
rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ocrtune.models.backbones.lcnet_v3 import ActivatedAffine, Affine
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
from ocrtune.training.elements import number, stored

_SMALLEST = 2**15  # numbers of a map from which on this is faster
_BLOCK = 64  # rows that are added up before the sum goes to float64


class FastActivatedAffine(ActivatedAffine):
    """An ``ActivatedAffine``: same parameters, names and outputs; see the module for what differs."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W), kept."""
        fits = is_readable(x) and x.is_contiguous(memory_format=torch.channels_last) and x.numel() >= _SMALLEST
        if not (fits and torch.is_grad_enabled() and isinstance(self.lab, Affine)):
            return super().forward(x)
        return _apply(x, self.lab.scale, self.lab.bias)


def speed_up_activated_affine_(model: nn.Module) -> int:
    """Make each ``ActivatedAffine`` of ``model`` a :class:`FastActivatedAffine`; their number.

    Parameters stay the same objects. Nothing is done where numba (the ``train`` extra) is missing.
    """
    found = [layer for layer in model.modules() if type(layer) is ActivatedAffine] if can_compile() else []
    for layer in found:
        layer.__class__ = FastActivatedAffine
    return len(found)


class _ActivatedAffine(torch.autograd.Function):
    """x: (N, C, H, W). scale, bias: (1,)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
        rows = wide(rows_of(x))
        y, out = empty_rows_like(x)
        numbers = np.float32(scale.item()), np.float32(bias.item())
        together(compiled(activate), [(rows, wide(out), *numbers, *share) for share in shares(len(rows))])
        ctx.save_for_backward(x, scale)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, scale = ctx.saved_tensors
        rows, of_y = wide(rows_of(x)), wide(rows_of(gradient))
        of_x, out = empty_rows_like(x)
        cuts = shares(len(rows))
        sums = np.zeros((len(cuts), 2, rows.shape[1]))
        jobs = [(rows, of_y, wide(out), np.float32(scale.item()), *total, *cut) for total, cut in zip(sums, cuts)]
        together(compiled(hand_back), jobs)
        of_scale, of_bias = torch.from_numpy(sums.sum((0, 2)).astype(np.float32))[:, None]
        return of_x, of_scale, of_bias


_apply: Callable[[Tensor, Tensor, Tensor], Tensor] = _ActivatedAffine.apply


def activate(x: Rows, y: Rows, scale: np.float32, bias: np.float32, first: int, end: int) -> None:
    """Write ``scale * hardswish(x) + bias`` into the rows ``first`` to ``end`` of ``y``.

    In the Python that numba compiles, as what follows.
    """
    for r in range(first, end):
        for c in range(x.shape[1]):
            z = number(x[r, c])
            active = z * min(max(z + np.float32(3), np.float32(0)), np.float32(6)) * np.float32(1 / 6)
            y[r, c] = stored(scale * active + bias, y)


def hand_back(
    x: Rows, gradient: Rows, out: Rows, scale: np.float32, of_scale: Sums, of_bias: Sums, first: int, end: int
) -> None:
    """Write the gradient of ``x`` into the rows ``first`` to ``end`` of ``out``; add up those of scale and bias.

    gradient: that of the output. of_scale, of_bias: (C,), what each column adds to them.
    """
    channels = x.shape[1]
    s, b = np.zeros(channels, np.float32), np.zeros(channels, np.float32)
    for start in range(first, end, _BLOCK):
        s[:] = 0
        b[:] = 0
        for r in range(start, min(start + _BLOCK, end)):
            for c in range(channels):
                z, d = number(x[r, c]), number(gradient[r, c])
                slope = z * np.float32(1 / 3) + np.float32(0.5)
                slope = np.float32(0) if z <= np.float32(-3) else slope
                slope = np.float32(1) if z >= np.float32(3) else slope
                active = z * min(max(z + np.float32(3), np.float32(0)), np.float32(6)) * np.float32(1 / 6)
                s[c] += d * active
                b[c] += d
                out[r, c] = stored(scale * d * slope, out)
        for c in range(channels):
            of_scale[c] += s[c]
            of_bias[c] += b[c]
