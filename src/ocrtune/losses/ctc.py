"""Connectionist temporal classification.

Source: Graves et al. (ICML 2006); PaddleOCR ppocr/losses/rec_ctc_loss.py at 79f652f5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ocrtune.losses.registry import losses


@dataclass(frozen=True)
class CTCLossOptions:
    """use_focal_loss: weigh each sample by (1 - exp(-loss))^2, so that read lines count less."""

    use_focal_loss: bool = False


@losses.register("CTCLoss", CTCLossOptions)
class CTCLoss(nn.Module):
    """Mean over the samples of -log p(text), blank 0.

    outputs: ``ctc`` (N, T, C) logits. targets: ``ctc`` (N, L) class numbers, ``length`` (N,).
    A text that T steps cannot spell (its length plus a blank between equal neighbours exceeds T) has loss 0 and no
    gradient, as with PaddleOCR's warp-ctc; ``infeasible`` counts such samples of the batch.
    """

    def __init__(self, options: CTCLossOptions):
        super().__init__()
        self.options = options

    def forward(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
        logits, labels, lengths = outputs["ctc"], targets["ctc"], targets["length"]
        samples, steps, _ = logits.shape
        log_probabilities = F.log_softmax(logits.float(), dim=2).transpose(0, 1)
        input_lengths = torch.full((samples,), steps, dtype=torch.int64)
        loss = F.ctc_loss(log_probabilities, labels, input_lengths, lengths, reduction="none", zero_infinity=True)
        if self.options.use_focal_loss:
            loss = loss * (1 - torch.exp(-loss)).square()
        infeasible = (steps_needed(labels, lengths) > steps).sum()
        return {"loss": loss.mean(), "infeasible": infeasible}


def steps_needed(labels: Tensor, lengths: Tensor) -> Tensor:
    """(N,) shortest number of time steps that spells each row of ``labels`` (N, L) of the given ``lengths``."""
    if labels.shape[1] < 2:
        return lengths
    inside = torch.arange(1, labels.shape[1], device=labels.device) < lengths.unsqueeze(1)
    repeats = ((labels[:, 1:] == labels[:, :-1]) & inside).sum(dim=1)
    return lengths + repeats
