"""How far two predictions are apart; the formulas of PaddleOCR ppocr/losses/basic_loss.py at 79f652f5.

All take and give float32. A small number keeps each logarithm finite; where it stands is part of the formula.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_TINY = 1e-10


def symmetric_per_value(first: Tensor, second: Tensor, eps: float = 1e-5) -> Tensor:
    """``(q log(q/p) + p log(p/q)) / 2`` of each value, mean over all of them; p, q in 0..1, of any equal shape.

    PaddleOCR means over the pixels only and is left with one loss per image, whose sum is differentiated: its gradient
    is larger by the batch size, in this loss and in all it is added to. The mean does not change with the batch size.
    Adam, which every config of distillation uses, takes the same steps with either, except that a regularizer (0 in
    PP-OCRv2's configs, 5e-5 later) weighs more against the mean.
    """
    forward = second * torch.log((second + eps) / (first + eps) + eps)
    backward = first * torch.log((first + eps) / (second + eps) + eps)
    return ((forward + backward) * 0.5).mean()


def symmetric_per_sample(first: Tensor, second: Tensor) -> Tensor:
    """``(KL(q|p) + KL(p|q)) / 2``, summed over everything but the batch, mean over the batch; p, q above 0."""
    return (_divergence(first.log(), second) + _divergence(second.log(), first)) / 2


def divergence_per_sample(logits: Tensor, goal: Tensor) -> Tensor:
    """KL of softmax(``goal``) from softmax(``logits``), both (N, T, C): summed over T and C, mean over N."""
    return _divergence(F.log_softmax(logits, dim=-1), F.softmax(goal, dim=-1))


def divergence_per_step(logits: Tensor, goal: Tensor, counted: Tensor) -> Tensor:
    """As :func:`divergence_per_sample`, mean over the steps where ``counted`` (N, T) is true; 0 when there is none."""
    probability = F.softmax(goal, dim=-1)
    found = (probability * (torch.log(probability + _TINY) - F.log_softmax(logits, dim=-1))).sum(dim=-1)
    return torch.where(counted, found, torch.zeros_like(found)).sum() / counted.sum().clamp(min=1)


def _divergence(log_probability: Tensor, goal: Tensor) -> Tensor:
    return (goal * (torch.log(goal + _TINY) - log_probability)).sum() / goal.shape[0]
