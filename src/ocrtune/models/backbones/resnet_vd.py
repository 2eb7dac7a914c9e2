"""ResNet_vd: the detection backbone of PaddleOCR's servers and teachers up to v3, and of its ICDAR2015 baseline.

PaddleOCR ``ppocr/modeling/backbones/det_resnet_vd.py`` at 79f652f5; ResNet-D of He et al., "Bag of Tricks", 2019.
"""

# calling an nn.Module is untyped
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor, nn
from torch.nn import functional as F

from ocrtune.core.options import ignored
from ocrtune.models.activated import activated
from ocrtune.models.initialise import initialise_
from ocrtune.models.registry import backbones

Layers = Literal[18, 34, 50, 101, 152, 200]
Stride = tuple[int, int]

_DEPTHS: dict[int, tuple[int, ...]] = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
    200: (3, 12, 48, 3),
}
_WIDTHS = (64, 128, 256, 512)


@dataclass(frozen=True)
class Options:
    """layers: 18 and 34 have blocks of two 3x3 convolutions, the others bottlenecks."""

    layers: Layers = 50
    in_channels: Literal[3] = 3
    dcn_stage: tuple[bool, ...] | None = None
    disable_se: Any = ignored("ResNet_vd has no squeeze-and-excitation")

    def __post_init__(self) -> None:
        if any(self.dcn_stage or ()):
            raise ValueError("dcn_stage: deformable convolutions are not supported, remove the key")


class ConvNorm(nn.Module):
    """Average pooling over windows of ``pool``, convolution, BatchNorm, ReLU; the first and last where asked."""

    norm_pairs = (("_conv", "_batch_norm"),)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int | Stride = 1,
        pool: Stride = (1, 1),
        relu: bool = True,
    ):
        super().__init__()
        self._conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, kernel_size // 2, bias=False)
        self._batch_norm = nn.BatchNorm2d(out_channels)
        self.pool = pool
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H', W'); a window that ends outside the map is the mean of what is inside."""
        if self.pool != (1, 1):
            x = F.avg_pool2d(x, self.pool, self.pool, ceil_mode=True, count_include_pad=False)
        return activated(self._batch_norm, self._conv(x), "relu" if self.relu else "none")


class Block(nn.Module):
    """Convolutions plus a shortcut, which the first block of a stage pools to the stride and projects to the width.

    bottleneck: 1x1, 3x3, and 1x1 to four times the width; otherwise two 3x3. The first 3x3 has the stride.
    """

    def __init__(self, in_channels: int, width: int, stride: Stride, bottleneck: bool, first: bool):
        super().__init__()
        if bottleneck:
            self.out_channels = 4 * width
            self.conv0 = ConvNorm(in_channels, width, 1)
            self.conv1 = ConvNorm(width, width, 3, stride)
            self.conv2: nn.Module = ConvNorm(width, 4 * width, 1, relu=False)
        else:
            self.out_channels = width
            self.conv0 = ConvNorm(in_channels, width, 3, stride)
            self.conv1 = ConvNorm(width, width, 3, relu=False)
            self.conv2 = nn.Identity()
        self.short = ConvNorm(in_channels, self.out_channels, 1, pool=stride, relu=False) if first else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H/stride, W/stride)."""
        return F.relu(self.short(x) + self.conv2(self.conv1(self.conv0(x))))


def residual_stages(layers: int, stride: Stride) -> list[dict[str, Block]]:
    """The blocks of the four stages by name; each stage but the first begins with ``stride``."""
    stages: list[dict[str, Block]] = []
    channels = 64
    for number, (depth, width) in enumerate(zip(_DEPTHS[layers], _WIDTHS)):
        blocks = {}
        for index in range(depth):
            strided = number > 0 and index == 0
            block = Block(channels, width, stride if strided else (1, 1), bottleneck=layers >= 50, first=index == 0)
            blocks[f"bb_{number}_{index}"] = block
            channels = block.out_channels
        stages.append(blocks)
    return stages


@backbones.register("ResNet_vd", Options)
class ResNetVd(nn.Module):
    """(N, 3, H, W) -> four maps at strides 4, 8, 16, 32."""

    def __init__(self, options: Options):
        super().__init__()
        self.conv1_1 = ConvNorm(3, 32, 3, 2)
        self.conv1_2 = ConvNorm(32, 32, 3)
        self.conv1_3 = ConvNorm(32, 64, 3)
        stages = residual_stages(options.layers, (2, 2))
        for blocks in stages:
            for name, block in blocks.items():
                self.add_module(name, block)
        self._stages = [tuple(blocks) for blocks in stages]
        self.out_channels = tuple([*blocks.values()][-1].out_channels for blocks in stages)
        initialise_(self)

    def forward(self, x: Tensor) -> list[Tensor]:
        """(N, 3, H, W), normalised -> four maps (N, C_i, H/2^i, W/2^i), i = 2..5."""
        x = F.max_pool2d(self.conv1_3(self.conv1_2(self.conv1_1(x))), 3, 2, 1)
        maps = []
        for names in self._stages:
            for name in names:
                x = getattr(self, name)(x)
            maps.append(x)
        return maps
