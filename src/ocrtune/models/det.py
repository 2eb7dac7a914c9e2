"""A text detector: backbone, neck, head."""

# calling an nn.Module is untyped
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn


class DetModel(nn.Module):
    """(N, 3, H, W), H and W multiples of 32 -> named maps, see ``forward``."""

    def __init__(self, backbone: nn.Module, neck: nn.Module, head: nn.Module):
        super().__init__()
        self.backbone = backbone
        self.neck = neck
        self.head = head

    def forward(self, image: Tensor, targets: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
        """Eval: ``shrink`` (N, 1, H, W) in 0..1. Training: also ``threshold``, ``binary`` and what the head adds."""
        return self.head(self.neck(self.backbone(image)), targets)
