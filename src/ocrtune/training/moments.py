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

_PIECE = 65536  # numbers of a piece, which the cache of a core holds


def channel_moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """x: (N, C, H, W), best in channels_last -> mean (C,) and covariance (C, C) over N, H and W."""
    apply: Callable[[Tensor], tuple[Tensor, Tensor]] = _ChannelMoments.apply
    return apply(x)


class _ChannelMoments(torch.autograd.Function):
    """See :func:`channel_moments`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        rows = _rows(x)
        mean = rows.mean(0)
        covariance = rows.new_zeros(rows.shape[1], rows.shape[1])
        step = max(1, _PIECE // rows.shape[1])
        for start in range(0, rows.shape[0], step):
            centred = rows[start : start + step] - mean
            covariance.addmm_(centred.t(), centred)
        covariance /= rows.shape[0]
        ctx.save_for_backward(x, mean)
        return mean, covariance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_mean: Tensor, of_covariance: Tensor) -> Tensor:
        x, mean = ctx.saved_tensors
        samples, channels, height, width = x.shape
        factor = (of_covariance + of_covariance.t()) / (samples * height * width)
        shift = of_mean / (samples * height * width) - mean @ factor
        gradient = torch.addmm(shift, _rows(x), factor)
        return gradient.view(samples, height, width, channels).permute(0, 3, 1, 2)


def _rows(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (N H W, C); a view in channels_last."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])
