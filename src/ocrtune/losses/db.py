"""The loss of Differentiable Binarization, with the auxiliary heads of PP-OCRv6.

Source: Liao et al., "Real-time Scene Text Detection with Differentiable Binarization" (AAAI 2020);
PaddleOCR ppocr/losses/det_db_loss.py and det_basic_loss.py at 79f652f5, and for ``DiceFocalLoss`` and the auxiliary
weights the same files of PaddleOCR 3.7.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from ocrtune.core.errors import Problem, TrainingError
from ocrtune.losses.focal import Focus, masked_focal
from ocrtune.losses.registry import losses


@dataclass(frozen=True)
class DBLossOptions:
    """Keys of PaddleOCR's ``Loss: {name: DBLoss}``.

    alpha, beta: weights of the shrink map and of the threshold map; the binary map has weight 1.
    main_loss_type: what the shrink map is trained with. ``DiceFocalLoss`` also applies to the binary map.
    balance_loss, ohem_ratio: accepted; with ``DiceLoss`` they choose among equal values of one scalar, so they
        change nothing beyond ``eps`` (and nothing is sorted); ``DiceFocalLoss`` has no hard-example mining.
    aux_weight_p2, p3, p4: weight of each auxiliary head, 0 for none.
    """

    balance_loss: bool = True
    main_loss_type: Literal["DiceLoss", "DiceFocalLoss"] = "DiceLoss"
    alpha: float = 5.0
    beta: float = 10.0
    ohem_ratio: float = 3.0
    eps: float = 1e-6
    aux_weight_p4: float = 0.0
    aux_weight_p3: float = 0.0
    aux_weight_p2: float = 0.0
    focal_alpha: float = 0.25
    focal_gamma: float = 2.0
    dice_weight: float = 1.0
    focal_weight: float = 1.0


@losses.register("DBLoss", DBLossOptions)
class DBLoss(nn.Module):
    """Shrink map, threshold map and binary map against their targets, over the whole batch at once.

    outputs: ``shrink``, ``threshold``, ``binary`` (N, 1, H, W) probabilities; optionally ``aux_p2``, ``aux_p3``,
        ``aux_p4`` (N, 3, H, W), the same three stacked; ``cbn`` (N, 1, H, W) of PFHeadLocal, a second map to be
        trained on the shrink map, with weight 1.
    targets: ``shrink_map``, ``shrink_mask``, ``threshold_map``, ``threshold_mask`` (N, H, W).
    A batch without any text pixel has no shrink part under ``DiceLoss``: neither value nor gradient.
    Raises TrainingError when an auxiliary head has a weight but the model has no such head.
    """

    def __init__(self, options: DBLossOptions):
        super().__init__()
        self.options = options
        self.aux_weights = {
            name: weight
            for name, weight in (
                ("aux_p4", options.aux_weight_p4),
                ("aux_p3", options.aux_weight_p3),
                ("aux_p2", options.aux_weight_p2),
            )
            if weight > 0
        }

    def forward(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
        maps = torch.cat([outputs["shrink"], outputs["threshold"], outputs["binary"]], dim=1)
        shrink, threshold, binary = self._parts(maps, targets)
        total = shrink + threshold + binary
        parts = {"loss_shrink_maps": shrink, "loss_threshold_maps": threshold, "loss_binary_maps": binary}
        if "cbn" in outputs:
            parts["loss_cbn"] = self._shrink(outputs["cbn"].float().squeeze(1), targets)
            total = total + parts["loss_cbn"]
        for name, weight in self.aux_weights.items():
            if name not in outputs:
                fix = "set Architecture.Head.aux_in_channels to the neck's out_channels, or this weight to 0"
                raise TrainingError(Problem(f"Loss.aux_weight_{name[4:]}", "the model has no auxiliary heads", fix))
            auxiliary = torch.stack(self._parts(outputs[name], targets)).sum()
            parts[f"loss_{name}"] = auxiliary
            total = total + weight * auxiliary
        return {"loss": total, **{name: part.detach() for name, part in parts.items()}}

    def _parts(self, maps: Tensor, targets: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Weighted (shrink, threshold, binary) losses of one head's (N, 3, H, W) maps."""
        options = self.options
        shrink, threshold, binary = maps.float().unbind(dim=1)
        truth, mask = targets["shrink_map"].float(), targets["shrink_mask"].float()
        shrink_loss = self._shrink(shrink, targets)
        threshold_loss = masked_l1(threshold, targets["threshold_map"], targets["threshold_mask"], options.eps)
        return options.alpha * shrink_loss, options.beta * threshold_loss, self._region(binary, truth, mask)

    def _shrink(self, prediction: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
        """Loss of one shrink map (N, H, W)."""
        truth, mask = targets["shrink_map"].float(), targets["shrink_mask"].float()
        loss = self._region(prediction, truth, mask)
        if self.options.main_loss_type == "DiceLoss" and self.options.balance_loss:
            return torch.where((truth * mask).sum() > 0, loss, torch.zeros_like(loss))
        return loss

    def _region(self, prediction: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
        options = self.options
        loss = dice(prediction, truth, mask, options.eps)
        if options.main_loss_type == "DiceLoss":
            return loss
        focus = Focus(options.focal_alpha, options.focal_gamma, options.eps)
        focal = masked_focal(prediction, truth, mask, focus)
        return options.dice_weight * loss + options.focal_weight * focal


def dice(prediction: Tensor, truth: Tensor, mask: Tensor, eps: float) -> Tensor:
    """1 - 2|P n T| / (|P| + |T| + eps) over all pixels of the batch where ``mask`` is 1; all (N, H, W) in 0..1."""
    masked = prediction * mask
    union = masked.sum() + (truth * mask).sum() + eps
    return 1 - 2 * (masked * truth).sum() / union


def masked_l1(prediction: Tensor, truth: Tensor, mask: Tensor, eps: float) -> Tensor:
    """Mean absolute difference over the pixels where ``mask`` is 1; 0 when there are none."""
    mask = mask.float()
    return ((prediction - truth.float()).abs() * mask).sum() / (mask.sum() + eps)
