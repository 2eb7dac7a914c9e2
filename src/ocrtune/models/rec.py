"""A text recogniser: backbone, optional neck, head."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn


class RecModel(nn.Module):
    """(N, 3, H, W) -> named logits, see ``forward``."""

    def __init__(self, backbone: nn.Module, neck: nn.Module | None, head: nn.Module):
        super().__init__()
        self.backbone = backbone
        self.neck = neck
        self.head = head

    def forward(
        self, image: Tensor, targets: Mapping[str, Tensor] | None = None, *, features: bool = False
    ) -> dict[str, Tensor]:
        """``ctc`` (N, T, classes) logits; in training with a guiding head also ``nrtr`` (N, L, classes) logits.

        features: also ``backbone_out`` (N, C, H, W) and, where there is a neck, ``neck_out`` (N, T, C).
        """
        x = self.backbone(image)
        read = {"backbone_out": x}
        if self.neck is not None:
            x = read["neck_out"] = self.neck(x)
        outputs: dict[str, Tensor] = self.head(x, targets)
        return {**outputs, **read} if features else outputs
