"""Cross entropy with label smoothing for the attention decoder that guides CTC training.

Source: Sheng et al., "NRTR" (ICDAR 2019); PaddleOCR ppocr/losses/rec_nrtr_loss.py at 79f652f5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ocrtune.core.errors import Problem, TrainingError
from ocrtune.losses.registry import losses

_SMOOTHING = 0.1


@dataclass(frozen=True)
class NRTRLossOptions:
    """smoothing: give 0.1 of the target's probability to the other classes. ignore_index: the padding class."""

    smoothing: bool = True
    ignore_index: int = 0


@losses.register("NRTRLoss", NRTRLossOptions)
class NRTRLoss(nn.Module):
    """Mean over the characters of the batch; padding does not count.

    outputs: ``nrtr`` (N, S, C) logits; step i predicts the target's column i + 1.
    targets: ``nrtr`` (N, L) class numbers: start, text, end, padding. S may be less than L - 1 when the model
        stopped at the batch's longest text.
    Raises TrainingError when the model has no such head.
    """

    def __init__(self, options: NRTRLossOptions):
        super().__init__()
        self.options = options

    def forward(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
        if "nrtr" not in outputs:
            what = "the model has no NRTRHead"
            raise TrainingError(Problem("Loss", what, "add one to head_list, or train with CTCLoss alone"))
        logits = outputs["nrtr"]
        labels = next_tokens(targets, logits.shape[1])
        steps, flat = labels.shape[1], labels.reshape(-1)
        log_probabilities = F.log_softmax(logits[:, :steps].flatten(0, 1).float(), dim=1)
        picked = log_probabilities.gather(1, flat.unsqueeze(1)).squeeze(1)
        if self.options.smoothing:
            other = _SMOOTHING / (log_probabilities.shape[1] - 1)
            picked = (1 - _SMOOTHING - other) * picked + other * log_probabilities.sum(dim=1)
        counted = flat != self.options.ignore_index
        loss = -torch.where(counted, picked, torch.zeros_like(picked)).sum() / counted.sum().clamp(min=1)
        return {"loss": loss}


def next_tokens(targets: Mapping[str, Tensor], steps: int) -> Tensor:
    """(N, steps) class numbers that the decoder's steps predict: the label ``nrtr`` (N, L) without its start."""
    return targets["nrtr"][:, 1 : 1 + steps]
