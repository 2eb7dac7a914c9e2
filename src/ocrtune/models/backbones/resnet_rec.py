"""ResNet, the recognition backbone of PaddleOCR's v2.0 server (CRNN).

PaddleOCR ``ppocr/modeling/backbones/rec_resnet_vd.py`` at 79f652f5. Blocks and names are those of ResNet_vd, the
strides are not. PaddleOCR's detection knows another network of this name; no PP-OCR model uses that one.
"""

# calling an nn.Module is untyped
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from ocrtune.models.backbones.resnet_vd import ConvNorm, Layers, residual_stages
from ocrtune.models.initialise import initialise_
from ocrtune.models.registry import backbones


@dataclass(frozen=True)
class Options:
    """layers: as those of ResNet_vd."""

    layers: Layers = 50
    in_channels: Literal[3] = 3


@backbones.register("ResNet", Options, task="rec")
class ResNet(nn.Module):
    """(N, 3, 32, W) -> (N, C, 1, W/4)."""

    def __init__(self, options: Options):
        super().__init__()
        self.conv1_1 = ConvNorm(3, 32, 3)
        self.conv1_2 = ConvNorm(32, 32, 3)
        self.conv1_3 = ConvNorm(32, 64, 3)
        blocks = {name: block for stage in residual_stages(options.layers, (2, 1)) for name, block in stage.items()}
        for name, block in blocks.items():
            self.add_module(name, block)
        self._blocks = tuple(blocks)
        self.out_channels = [*blocks.values()][-1].out_channels
        initialise_(self)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W), normalised -> (N, C, H // 32, W // 4)."""
        x = F.max_pool2d(self.conv1_3(self.conv1_2(self.conv1_1(x))), 3, 2, 1)
        for name in self._blocks:
            x = getattr(self, name)(x)
        return F.max_pool2d(x, 2)
