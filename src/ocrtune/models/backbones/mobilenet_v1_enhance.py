"""MobileNetV1Enhance, the recognition backbone of PP-OCRv2 and v3.

PaddleOCR ``ppocr/modeling/backbones/rec_mv1_enhance.py`` at 79f652f5; PP-LCNet (Cui et al., 2021) is its ancestor.
"""

# calling an nn.Module is untyped
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from torch import Tensor, nn

from ocrtune.models.activated import activated
from ocrtune.models.initialise import initialise_, kaiming_normal_
from ocrtune.models.registry import backbones
from ocrtune.models.squeeze_excite import SqueezeExcite

Stride = int | tuple[int, int]


class _Block(NamedTuple):
    """Widths are those of scale 1."""

    in_channels: int
    out_channels: int
    stride: Stride = 1
    kernel_size: int = 3
    excited: bool = False


_BLOCKS = (
    _Block(32, 64),
    _Block(64, 128),
    _Block(128, 128),
    _Block(128, 256, (2, 1)),
    _Block(256, 256),
    _Block(256, 512, (2, 1)),
    *(_Block(512, 512, kernel_size=5) for _ in range(5)),
    _Block(512, 1024, (2, 1), 5, excited=True),
)


@dataclass(frozen=True)
class Options:
    """scale: width multiplier; the last convolution's stride and the last pooling are (height, width).

    last_pool_kernel_size: used by ``avg``; ``max`` is always 2 x 2.
    """

    scale: float = 0.5
    last_conv_stride: int | tuple[int, int] = 1
    last_pool_type: Literal["max", "avg"] = "max"
    last_pool_kernel_size: tuple[int, int] = (3, 2)


class ConvNormHardswish(nn.Module):
    """Convolution, BatchNorm, hard swish; (N, C, H, W) -> (N, C', H', W')."""

    norm_pairs = (("_conv", "_batch_norm"),)

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: Stride = 1, groups: int = 1):
        super().__init__()
        self._conv = nn.Conv2d(
            in_channels, out_channels, kernel_size, stride, kernel_size // 2, groups=groups, bias=False
        )
        self._batch_norm = nn.BatchNorm2d(out_channels)
        self.l2_overrides = {"_batch_norm": 0.0}

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H', W')."""
        return activated(self._batch_norm, self._conv(x), "hardswish")


class DepthwiseSeparable(nn.Module):
    """Depthwise convolution, optional squeeze-and-excitation, 1x1 convolution."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: Stride, excited: bool):
        super().__init__()
        self._depthwise_conv = ConvNormHardswish(in_channels, in_channels, kernel_size, stride, groups=in_channels)
        self._se = SqueezeExcite(in_channels) if excited else nn.Identity()
        self._pointwise_conv = ConvNormHardswish(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H', W')."""
        return self._pointwise_conv(self._se(self._depthwise_conv(x)))


@backbones.register("MobileNetV1Enhance", Options)
class MobileNetV1Enhance(nn.Module):
    """(N, 3, 32, W) -> (N, 1024 scale, 1, W/4) with the defaults."""

    def __init__(self, options: Options):
        super().__init__()
        scale = options.scale
        last = _Block(1024, 1024, options.last_conv_stride, 5, excited=True)
        self.conv1 = ConvNormHardswish(3, int(32 * scale), 3, 2)
        self.block_list = nn.Sequential(
            *(
                DepthwiseSeparable(
                    int(block.in_channels * scale),
                    int(block.out_channels * scale),
                    block.kernel_size,
                    block.stride,
                    block.excited,
                )
                for block in (*_BLOCKS, last)
            )
        )
        self.pool: nn.Module = nn.MaxPool2d(2)
        if options.last_pool_type == "avg":
            self.pool = nn.AvgPool2d(options.last_pool_kernel_size)
        self.out_channels = int(1024 * scale)
        initialise_(self)
        kaiming_normal_(*(layer._conv for layer in self.modules() if isinstance(layer, ConvNormHardswish)))

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W), normalised -> (N, C, 1, W')."""
        return self.pool(self.block_list(self.conv1(x)))
