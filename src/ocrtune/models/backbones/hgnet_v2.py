"""PPHGNetV2_B4, the backbone of the PP-OCRv5 server models.

PaddleOCR ``ppocr/modeling/backbones/rec_pphgnetv2.py`` at 79f652f5, where detection uses it too. Its learnable affine
layers and its diverse branches belong to other sizes: B4 has none, and no key turns them on.
"""

# calling an nn.Module is untyped
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ocrtune.core.options import ignored
from ocrtune.models.backbones.hgnet import DETECTION_STRIDES, RECOGNITION_STRIDES, ConvNorm, Stage, Stride, chained
from ocrtune.models.columns import averaged_columns
from ocrtune.models.initialise import initialise_, kaiming_normal_
from ocrtune.models.registry import backbones


class _Layout(NamedTuple):
    """One stage; ``middle`` is the width of the layers inside a block, ``light`` makes them separable."""

    in_channels: int
    middle: int
    out_channels: int
    blocks: int
    light: bool
    kernel_size: int


_LAYERS = 6  # of a block
_STEM = (32, 48)
_STAGES = (
    _Layout(48, 48, 128, 1, False, 3),
    _Layout(128, 96, 512, 1, False, 3),
    _Layout(512, 192, 1024, 3, True, 5),
    _Layout(1024, 384, 2048, 1, True, 5),
)
_CLASSES = 1000  # of ImageNet


@dataclass(frozen=True)
class Options:
    """``Architecture.Backbone`` with ``name: PPHGNetV2_B4``: ``det`` or ``text_rec`` says what it is for."""

    det: bool = False
    text_rec: bool = False
    pretrained: Any = ignored("Global.pretrained_model names the weights to start from")
    use_ssld: Any = ignored("Global.pretrained_model names the weights to start from")

    def __post_init__(self) -> None:
        if self.det == self.text_rec:
            given = "both 'det' and 'text_rec' are" if self.det else "neither 'det' nor 'text_rec' is"
            raise ValueError(f"{given} true: write 'det: true' for detection, 'text_rec: true' for recognition")


class Stem(nn.Module):
    """A strided convolution, two 2x2 convolutions beside a 2x2 max pooling, joined; ``stride`` is that of the end."""

    def __init__(self, middle: int, out_channels: int, stride: int):
        super().__init__()
        self.stem1 = ConvNorm(3, middle, 3, 2)
        self.stem2a = ConvNorm(middle, middle // 2, 2)
        self.stem2b = ConvNorm(middle // 2, middle, 2)
        self.stem3 = ConvNorm(middle * 2, middle, 3, stride)
        self.stem4 = ConvNorm(middle, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, out_channels, H / (2 stride), W / (2 stride))."""
        x = self.stem1(x)
        pooled = F.max_pool2d(F.pad(x, (0, 1, 0, 1)), 2, 1)  # behind a ReLU zeros are neutral
        return self.stem4(self.stem3(torch.cat((pooled, self.stem2b(self.stem2a(x))), 1)))


class LightConvNorm(nn.Module):
    """1x1 convolution, then a depthwise one, each with BatchNorm; ReLU at the end."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int):
        super().__init__()
        self.conv1 = ConvNorm(in_channels, out_channels, 1, relu=False)
        self.conv2 = ConvNorm(out_channels, out_channels, kernel_size, groups=out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H, W)."""
        return self.conv2(self.conv1(x))


class Block(nn.Module):
    """A chain of convolutions, all its outputs joined and projected in two steps; ``shortcut`` adds the input."""

    def __init__(self, in_channels: int, layout: _Layout, shortcut: bool):
        super().__init__()
        kind = LightConvNorm if layout.light else ConvNorm
        widths = (in_channels, *(layout.middle,) * _LAYERS)
        half = layout.out_channels // 2
        self.layers = nn.ModuleList(kind(a, b, layout.kernel_size) for a, b in pairwise(widths))
        self.aggregation_squeeze_conv = ConvNorm(sum(widths), half, 1)
        self.aggregation_excitation_conv = ConvNorm(half, layout.out_channels, 1)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H, W)."""
        out = self.aggregation_excitation_conv(self.aggregation_squeeze_conv(chained(x, self.layers)))
        return out + x if self.shortcut else out


def _stage(layout: _Layout, stride: Stride | None) -> Stage:
    widths = (layout.in_channels, *(layout.out_channels,) * (layout.blocks - 1))
    return Stage(layout.in_channels, stride, (Block(w, layout, index > 0) for index, w in enumerate(widths)))


@backbones.register("PPHGNetV2_B4", Options)
class PPHGNetV2B4(nn.Module):
    """Detection: (N, 3, H, W) -> four maps at strides 4, 8, 16, 32. Recognition: (N, 3, 48, W) -> (N, 2048, 1, W/8).

    In training, recognition accepts other heights too, see :func:`ocrtune.models.columns.averaged_columns`.
    ``last_conv`` and ``fc`` are the ImageNet classifier, which PaddleOCR's checkpoints carry along: nothing reads
    them and nothing trains them, they are here so that a checkpoint goes in and out whole.
    """

    out_channels: int | tuple[int, ...]

    def __init__(self, options: Options):
        super().__init__()
        self.det = options.det
        self.stem = Stem(*_STEM, stride=2 if options.det else 1)
        strides = DETECTION_STRIDES if options.det else RECOGNITION_STRIDES
        self.stages = nn.ModuleList(_stage(layout, stride) for layout, stride in zip(_STAGES, strides))
        width = _STAGES[-1].out_channels
        self.last_conv = nn.Conv2d(width, width, 1, bias=False).requires_grad_(False)
        if not options.det:
            self.fc = nn.Linear(width, _CLASSES).requires_grad_(False)
        self.out_channels = tuple(layout.out_channels for layout in _STAGES) if options.det else width
        initialise_(self)
        kaiming_normal_(*(layer for layer in self.modules() if isinstance(layer, nn.Conv2d)))

    def forward(self, x: Tensor) -> Tensor | list[Tensor]:
        """(N, 3, H, W), normalised -> see the class."""
        x = self.stem(x)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps if self.det else averaged_columns(x, self.training)
