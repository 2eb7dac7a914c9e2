"""Squeeze-and-excitation with the gates PaddleOCR uses (Hu et al., 2018)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class SqueezeExcite(nn.Module):
    """x (N, C, H, W) times a gate (N, C, 1, 1) computed from its mean; one quarter of the channels in between.

    gate_slope: slope of the hard sigmoid ``clip(slope * x + 0.5, 0, 1)``. PaddleOCR uses 1/6 in
        recognition backbones and PPLCNetV4, 0.2 in MobileNetV3 for detection and in the RSE/RepLK pyramids.
    """

    def __init__(self, channels: int, gate_slope: float = 1 / 6):
        super().__init__()
        self.gate_slope = gate_slope
        self.conv1 = nn.Conv2d(channels, channels // 4, 1)
        self.conv2 = nn.Conv2d(channels // 4, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        gate = self.conv2(F.relu(self.conv1(x.mean((2, 3), keepdim=True))))
        return x * torch.clamp(gate * self.gate_slope + 0.5, 0.0, 1.0)
