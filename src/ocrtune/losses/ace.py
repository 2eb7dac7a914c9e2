"""Aggregation cross entropy: how often each character occurs in a line, whatever its place.

Source: Xie et al., "Aggregation Cross-Entropy for Sequence Recognition" (CVPR 2019); PaddleOCR ppocr/losses/ace_loss.py
at 79f652f5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ocrtune.losses.registry import losses


@dataclass(frozen=True)
class ACELossOptions:
    """softmax_of_mean: take a softmax of the mean probabilities before the logarithm, as PaddleOCR does; the paper
    takes their logarithm."""

    softmax_of_mean: bool = True


@losses.register("ACELoss", ACELossOptions)
class ACELoss(nn.Module):
    """Mean over the samples of the cross entropy between the true and the predicted shares of the T steps.

    outputs: ``ctc`` (N, T, C) logits. targets: ``ctc`` (N, L) class numbers, ``length`` (N,). A class's true share is
    its number of occurrences over T; blank has the rest.
    """

    def __init__(self, options: ACELossOptions):
        super().__init__()
        self.options = options

    def forward(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
        logits = outputs["ctc"].float()
        _, steps, classes = logits.shape
        shares = occurrences(targets["ctc"], targets["length"], steps, classes) / steps
        predicted = logits.softmax(dim=2).mean(dim=1)
        again = self.options.softmax_of_mean
        logarithm = F.log_softmax(predicted, dim=1) if again else predicted.clamp(min=1e-30).log()
        return {"loss": -(shares * logarithm).sum(dim=1).mean()}


def occurrences(labels: Tensor, lengths: Tensor, steps: int, classes: int) -> Tensor:
    """(N, classes) float32: how many of ``steps`` steps each class has; blank has those without a character."""
    counts = torch.zeros(len(labels), classes, device=labels.device)
    counts.scatter_add_(1, labels, torch.ones_like(labels, dtype=counts.dtype))
    counts[:, 0] = steps - lengths
    return counts
