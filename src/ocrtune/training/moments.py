"""Mean and covariance of what a convolution reads, with their gradients.

What a convolution without bias makes of ``x`` has the mean ``W m`` and the variance ``W C W'``, where m and C are the
mean and the covariance of the values under its kernel. So the statistics of several parallel convolutions of the same
input are known before any of them is computed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ocrtune.training.convolution import channel_sums

_PIECES = {torch.float32: 2**16, torch.bfloat16: 2**20}  # numbers at once; products in bfloat16 take long to begin


def channel_moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Over N, H and W: mean (C,) and covariance (C, C), float32.

    x: (N, C, H, W), float32 or bfloat16, best in channels_last.
    """
    apply: Callable[[Tensor], tuple[Tensor, Tensor]] = _ChannelMoments.apply
    return apply(x)


class _ChannelMoments(torch.autograd.Function):
    """See :func:`channel_moments`.

    In bfloat16 the products are taken of rounded differences from the mean: a mean far from 0 costs them no digits.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        rows = _rows(x)
        mean = channel_sums(x) / rows.shape[0]
        covariance = torch.zeros(rows.shape[1], rows.shape[1])
        for piece in _pieces(rows):
            centred = (rows[piece] - mean).to(x.dtype)
            covariance += centred.t() @ centred
        covariance /= rows.shape[0]
        ctx.save_for_backward(x, mean)
        return mean, covariance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_mean: Tensor, of_covariance: Tensor) -> Tensor:
        x, mean = ctx.saved_tensors
        samples, channels, height, width = x.shape
        factor = (of_covariance + of_covariance.t()) / (samples * height * width)
        factor = factor.to(x.dtype)  # rounded before the shift is known, which takes the mean out again
        shift = of_mean / (samples * height * width) - mean @ factor.float()
        gradient = torch.addmm(shift.to(x.dtype), _rows(x), factor)
        return gradient.view(samples, height, width, channels).permute(0, 3, 1, 2)


def _pieces(rows: Tensor) -> list[slice]:
    step = max(1, _PIECES[rows.dtype] // rows.shape[1])
    return [slice(start, start + step) for start in range(0, rows.shape[0], step)]


def _rows(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (N H W, C); a view in channels_last."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])
