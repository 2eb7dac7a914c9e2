"""A text recogniser: backbone, optional neck, head."""

# calling an nn.Module is untyped
# mypy: disable-error-code="no-any-return"
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

    def forward(self, image: Tensor, targets: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
        """``ctc`` (N, T, classes) logits; in training with a guiding head also ``nrtr`` (N, L, classes) logits."""
        features = self.backbone(image)
        if self.neck is not None:
            features = self.neck(features)
        return self.head(features, targets)
