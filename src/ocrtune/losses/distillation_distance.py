"""Features of two networks drawn together.

Source: PaddleOCR ppocr/losses/distillation_loss.py ``DistillationDistanceLoss`` at 79f652f5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from ocrtune.losses.networks import Feature, Pairs, output_name, read, summed
from ocrtune.losses.registry import losses

_DISTANCES = {"l1": F.l1_loss, "l2": F.mse_loss, "smooth_l1": F.smooth_l1_loss}


@dataclass(frozen=True)
class DistillationDistanceLossOptions:
    """mode: of the difference. key: which feature, or ``head_out`` for the CTC logits. name: for the log."""

    model_name_pairs: Pairs
    mode: Literal["l1", "l2", "smooth_l1"] = "l2"
    key: Feature | Literal["head_out"] | None = None
    name: str = "loss_distance"

    def networks(self) -> frozenset[str]:
        """The networks that this loss reads."""
        return self.model_name_pairs.networks()


@losses.register("DistillationDistanceLoss", DistillationDistanceLossOptions)
class DistillationDistanceLoss(nn.Module):
    """The mean over all values, batch included, of each pair's squared (or absolute) difference.

    outputs of both networks: ``backbone_out`` (N, C, H, W), ``neck_out`` (N, T, C) or ``ctc`` (N, T, C), equal shapes.
    """

    def __init__(self, options: DistillationDistanceLossOptions):
        super().__init__()
        self.options = options

    def forward(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
        options = self.options
        name = output_name(options.key, False, "ctc")
        distance = _DISTANCES[options.mode]
        parts = {
            f"{options.name}_{options.mode}_{first}_{second}": distance(
                read(outputs, first, name), read(outputs, second, name)
            )
            for first, second in options.model_name_pairs
        }
        return summed(parts)
