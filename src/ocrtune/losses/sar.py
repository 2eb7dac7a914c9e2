"""Cross entropy for the SAR decoder that guides CTC training in PP-OCRv3.

Source: PaddleOCR ppocr/losses/rec_sar_loss.py at 79f652f5, with the ``ignore_index`` that tools/train.py gives it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from ocrtune.core.errors import Problem, TrainingError
from ocrtune.core.options import ignored
from ocrtune.losses.registry import losses


@dataclass(frozen=True)
class SARLossOptions:
    """Nothing to choose."""

    ignore_index: int | None = ignored("the padding class follows the last class of the model")


@losses.register("SARLoss", SARLossOptions)
class SARLoss(nn.Module):
    """Mean over the characters and the ends of the batch's texts; padding does not count.

    outputs: ``sar`` (N, L, C) logits; step i predicts the target's column i + 1, the last step nothing.
    targets: ``sar`` (N, L) class numbers: start, text, end, padding, which is class C.
    Raises TrainingError when the model has no such head.
    """

    def __init__(self, options: SARLossOptions):
        super().__init__()

    def forward(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
        if "sar" not in outputs:
            what = "the model has no SARHead"
            raise TrainingError(Problem("Loss", what, "add one to head_list, or train with CTCLoss alone"))
        logits, labels = outputs["sar"][:, :-1].float(), targets["sar"][:, 1:]
        padding = logits.shape[2]
        return {"loss": F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=padding)}
