"""PPHGNet_small, the backbone of the PP-OCRv4 server models.

PaddleOCR ``ppocr/modeling/backbones/rec_hgnet.py`` at 79f652f5, where detection uses it too.
"""

# calling an nn.Module is untyped
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ocrtune.core.options import ignored
from ocrtune.models.activated import activated
from ocrtune.models.columns import averaged_columns
from ocrtune.models.initialise import initialise_, kaiming_normal_
from ocrtune.models.registry import backbones

Stride = int | tuple[int, int]


class _Layout(NamedTuple):
    """One stage; ``middle`` is the width of the layers inside a block."""

    in_channels: int
    middle: int
    out_channels: int
    blocks: int


_LAYERS = 6  # of a block
_STEM = (3, 64, 64, 128)
_STAGES = (
    _Layout(128, 128, 256, 1),
    _Layout(256, 160, 512, 1),
    _Layout(512, 192, 768, 2),
    _Layout(768, 224, 1024, 1),
)
DETECTION_STRIDES: tuple[Stride | None, ...] = (None, 2, 2, 2)
RECOGNITION_STRIDES: tuple[Stride | None, ...] = ((2, 1), (1, 2), (2, 1), (2, 1))


@dataclass(frozen=True)
class Options:
    """``Architecture.Backbone`` with ``name: PPHGNet_small``."""

    det: bool = False
    pretrained: Any = ignored("Global.pretrained_model names the weights to start from")
    use_ssld: Any = ignored("Global.pretrained_model names the weights to start from")


class ConvNorm(nn.Module):
    """Convolution that keeps the size at stride 1, BatchNorm, ReLU where asked; (N, C, H, W) -> (N, C', H', W').

    An even kernel has its extra column of zeros on the right and its extra row at the bottom (Paddle's "SAME").
    """

    norm_pairs = (("conv", "bn"),)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: Stride = 1,
        groups: int = 1,
        relu: bool = True,
    ):
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel_size, stride, (kernel_size - 1) // 2, groups=groups, bias=False
        )
        self.bn = nn.BatchNorm2d(out_channels)
        self.pads = kernel_size % 2 == 0
        self.relu = relu
        self.l2_overrides = {"bn": 0.0}

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H/stride, W/stride)."""
        x = self.conv(F.pad(x, (0, 1, 0, 1)) if self.pads else x)
        return activated(self.bn, x, "relu" if self.relu else "none")


class ChannelGate(nn.Module):
    """Effective squeeze-and-excitation (Lee and Park, 2020): one 1x1 convolution of the mean gates every channel."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        return x * torch.sigmoid(self.conv(x.mean((2, 3), keepdim=True)))


def chained(x: Tensor, layers: Iterable[nn.Module]) -> Tensor:
    """``x`` and the outputs of all ``layers``, each fed by the one before it, joined along the channels."""
    outputs = [x]
    for layer in layers:
        outputs.append(layer(outputs[-1]))
    return torch.cat(outputs, 1)


class Block(nn.Module):
    """A chain of 3x3 convolutions, all its outputs joined and projected, gated; ``shortcut`` adds the input."""

    def __init__(self, in_channels: int, middle: int, out_channels: int, shortcut: bool):
        super().__init__()
        widths = (in_channels, *(middle,) * _LAYERS)
        self.layers = nn.ModuleList(ConvNorm(before, after, 3) for before, after in pairwise(widths))
        self.aggregation_conv = ConvNorm(sum(widths), out_channels, 1)
        self.att = ChannelGate(out_channels)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H, W)."""
        out = self.att(self.aggregation_conv(chained(x, self.layers)))
        return out + x if self.shortcut else out


class Stage(nn.Module):
    """A strided depthwise convolution (none if ``stride`` is None), then blocks."""

    def __init__(self, in_channels: int, stride: Stride | None, blocks: Iterable[nn.Module]):
        super().__init__()
        self.downsample: nn.Module = nn.Identity()
        if stride is not None:
            self.downsample = ConvNorm(in_channels, in_channels, 3, stride, groups=in_channels, relu=False)
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H/stride, W/stride)."""
        return self.blocks(self.downsample(x))


def _stage(layout: _Layout, stride: Stride | None) -> Stage:
    widths = (layout.in_channels, *(layout.out_channels,) * (layout.blocks - 1))
    blocks = (Block(width, layout.middle, layout.out_channels, index > 0) for index, width in enumerate(widths))
    return Stage(layout.in_channels, stride, blocks)


@backbones.register("PPHGNet_small", Options)
class PPHGNetSmall(nn.Module):
    """Detection: (N, 3, H, W) -> four maps at strides 4, 8, 16, 32. Recognition: (N, 3, 48, W) -> (N, 1024, 1, W/8).

    In training, recognition accepts other heights too, see :func:`ocrtune.models.columns.averaged_columns`.
    """

    out_channels: int | tuple[int, ...]

    def __init__(self, options: Options):
        super().__init__()
        self.det = options.det
        self.stem = nn.Sequential(
            *(ConvNorm(*widths, 3, 2 if index == 0 else 1) for index, widths in enumerate(pairwise(_STEM)))
        )
        strides = DETECTION_STRIDES if options.det else RECOGNITION_STRIDES
        self.stages = nn.ModuleList(_stage(layout, stride) for layout, stride in zip(_STAGES, strides))
        widths = tuple(layout.out_channels for layout in _STAGES)
        self.out_channels = widths if options.det else widths[-1]
        initialise_(self)
        kaiming_normal_(*(layer for layer in self.modules() if isinstance(layer, nn.Conv2d)))

    def forward(self, x: Tensor) -> Tensor | list[Tensor]:
        """(N, 3, H, W), normalised -> see the class."""
        x = self.stem(x)
        if self.det:
            x = F.max_pool2d(x, 3, 2, 1)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps if self.det else averaged_columns(x, self.training)
