"""Focal loss of a map of probabilities.

Source: Lin et al., "Focal Loss for Dense Object Detection" (ICCV 2017); PaddleOCR 3.7 ppocr/losses/det_basic_loss.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

_AT_ONCE = 2**16  # pixels: what is made of them between the map and the loss stays in a CPU's cache


class Focus(NamedTuple):
    """alpha: weight of pixels with text; the others have 1 - alpha. gamma: how little easy pixels count.

    eps: the probability is clamped to eps..1-eps, so a saturated pixel has no gradient.
    """

    alpha: float
    gamma: float
    eps: float


def masked_focal(prediction: Tensor, truth: Tensor, mask: Tensor, focus: Focus) -> Tensor:
    """Mean over the pixels where ``mask`` is 1; all (N, H, W) in 0..1."""
    return _apply(prediction, truth, mask, focus)


class _MaskedFocal(torch.autograd.Function):
    """The gradient is found with the loss, a stretch of pixels at a time: PyTorch would keep eight maps for it."""

    @staticmethod
    def forward(ctx: Any, prediction: Tensor, truth: Tensor, mask: Tensor, focus: Focus) -> Tensor:
        count = mask.sum() + focus.eps
        p, t, m = (value.flatten() for value in (prediction, truth, mask))
        slopes = torch.empty_like(p)
        step = _AT_ONCE if p.device.type == "cpu" else max(1, len(p))
        sums = []
        for start in range(0, len(p), step):
            part = slice(start, start + step)
            losses, slopes[part] = _losses_and_slopes(p[part], t[part], m[part], focus)
            sums.append(losses.sum())
        ctx.save_for_backward(slopes.view_as(prediction), count)
        return torch.stack(sums).sum() / count

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        slopes, count = ctx.saved_tensors
        return slopes * (gradient / count), None, None, None


_apply: Callable[[Tensor, Tensor, Tensor, Focus], Tensor] = _MaskedFocal.apply


def _losses_and_slopes(prediction: Tensor, truth: Tensor, mask: Tensor, focus: Focus) -> tuple[Tensor, Tensor]:
    """The loss of each pixel, and its derivative by the prediction."""
    probability = prediction.clamp(focus.eps, 1 - focus.eps)
    error = torch.lerp(probability, 1 - probability, truth)
    cross_entropy = F.binary_cross_entropy(probability, truth, reduction="none")
    weight = (1 - focus.alpha + (2 * focus.alpha - 1) * truth).mul_(mask)
    eased = error.pow(focus.gamma)
    of_error = (focus.gamma * eased / error).mul_(1 - 2 * truth).mul_(cross_entropy)
    of_entropy = (probability - truth).mul_(eased).div_(probability * (1 - probability))
    slope = of_error.add_(of_entropy).mul_(weight).mul_(probability == prediction)
    return eased.mul_(cross_entropy).mul_(weight), slope
