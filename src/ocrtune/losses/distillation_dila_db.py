"""A detector that learns a teacher's dilated shrink map.

Source: PaddleOCR ppocr/losses/distillation_loss.py ``DistillationDilaDBLoss`` at 79f652f5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ocrtune.losses.db import dice
from ocrtune.losses.networks import Pairs, read, summed
from ocrtune.losses.registry import losses

_TEXT = 0.3  # the teacher's probability above which a pixel is text


@dataclass(frozen=True)
class DistillationDilaDBLossOptions:
    """model_name_pairs: (student, teacher). alpha: weight of the shrink map, which counts here; PaddleOCR accepts it
    and always takes 5. eps: of Dice. balance_loss, beta, ohem_ratio: accepted; with Dice they change nothing (see
    DBLoss), and the threshold map is not compared. name: for the log."""

    model_name_pairs: Pairs
    key: Literal["maps"] | None = "maps"
    balance_loss: bool = True
    main_loss_type: Literal["DiceLoss"] = "DiceLoss"
    alpha: float = 5.0
    beta: float = 10.0
    ohem_ratio: float = 3.0
    eps: float = 1e-6
    name: str = "dila_dbloss"

    def networks(self) -> frozenset[str]:
        """The networks that this loss reads."""
        return self.model_name_pairs.networks()


@losses.register("DistillationDilaDBLoss", DistillationDilaDBLossOptions)
class DistillationDilaDBLoss(nn.Module):
    """Dice of the student's shrink and binary maps against where the teacher sees text, grown by a pixel.

    outputs: of the student ``shrink`` and ``binary``, of the teacher ``shrink``, all (N, 1, H, W) in 0..1.
    targets: ``shrink_mask`` (N, H, W). Without any text of the teacher, there is no shrink part.
    """

    def __init__(self, options: DistillationDilaDBLossOptions):
        super().__init__()
        self.options = options

    def forward(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
        options, mask = self.options, targets["shrink_mask"].float()
        parts: dict[str, Tensor] = {}
        for student, teacher in options.model_name_pairs:
            text = dilated((read(outputs, teacher, "shrink") > _TEXT).float())[:, 0]
            shrink, binary = (read(outputs, student, name)[:, 0] for name in ("shrink", "binary"))
            shrink_loss = dice(shrink, text, mask, options.eps)
            if options.balance_loss:
                shrink_loss = torch.where((text * mask).sum() > 0, shrink_loss, torch.zeros_like(shrink_loss))
            binary_loss = dice(binary, text, mask, options.eps)
            parts[f"{options.name}_{student}_{teacher}"] = options.alpha * shrink_loss + binary_loss
        return summed(parts)


def dilated(maps: Tensor) -> Tensor:
    """(N, 1, H, W) of 0 and 1: every 1 also set to the right, below and diagonally below (OpenCV's 2 x 2 dilation)."""
    return F.max_pool2d(F.pad(maps, (1, 0, 1, 0)), kernel_size=2, stride=1)
