"""A student that expects the teacher's characters, wherever in the line they stand.

Source: PaddleOCR ppocr/losses/distillation_loss.py ``DistillCTCLogits`` and ``KLCTCLogits`` (mode "mean") at 79f652f5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ocrtune.losses.networks import Pairs, read, summed
from ocrtune.losses.registry import losses

_TEMPERATURE = 0.5
_EPS = 1e-6


@dataclass(frozen=True)
class DistillCTCLogitsOptions:
    """model_name_pairs: (student, teacher). key, reduction: accepted; PaddleOCR uses neither. name: for the log."""

    model_name_pairs: Pairs
    key: Literal["head_out"] | None = None
    reduction: Literal["mean"] = "mean"
    name: str = "ctc_logits"

    def networks(self) -> frozenset[str]:
        """The networks that this loss reads."""
        return self.model_name_pairs.networks()


@losses.register("DistillCTCLogits", DistillCTCLogitsOptions)
class DistillCTCLogits(nn.Module):
    """Kullback-Leibler divergence of the teacher's mean over the steps of softmax(2 logits) from the student's.

    The logit of blank is negated first, so that blank, which wins most steps, becomes the least likely class.
    outputs of both networks: ``ctc`` (N, T, C) logits; T may differ. Summed over the classes, mean over the batch.
    """

    def __init__(self, options: DistillCTCLogitsOptions):
        super().__init__()
        self.options = options

    def forward(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
        parts: dict[str, Tensor] = {}
        for student, teacher in self.options.model_name_pairs:
            found, goal = (_characters(read(outputs, network, "ctc")) for network in (student, teacher))
            divergence = goal * torch.log((goal + _EPS) / (found + _EPS) + _EPS)
            parts[f"{self.options.name}_{student}_{teacher}"] = divergence.sum() / len(goal)
        return summed(parts)


def _characters(logits: Tensor) -> Tensor:
    """(N, T, C) -> (N, C): how likely each character is at a step, blank aside."""
    signs = torch.ones_like(logits[0, 0])
    signs[0] = -1
    return F.softmax(logits * signs / _TEMPERATURE, dim=-1).mean(dim=1)
