"""MobileNetV3 for detection (Howard et al., 2019).

PaddleOCR ``ppocr/modeling/backbones/det_mobilenet_v3.py`` at 79f652f5.
"""

# calling an nn.Module is untyped
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from torch import Tensor, nn

from ocrtune.models.activated import Activation, activated
from ocrtune.models.initialise import initialise_
from ocrtune.models.registry import backbones
from ocrtune.models.squeeze_excite import SqueezeExcite

_GATE_SLOPE = 0.2
FIRST_WIDTH = 16
SCALES = (0.35, 0.5, 0.75, 1.0, 1.25)


class Unit(NamedTuple):
    """Widths are those of scale 1; ``expanded`` is the width inside. stride: of both axes, or (height, width)."""

    kernel_size: int
    expanded: int
    out_channels: int
    excited: bool
    activation: Activation
    stride: int | tuple[int, int]


LARGE = (
    Unit(3, 16, 16, False, "relu", 1),
    Unit(3, 64, 24, False, "relu", 2),
    Unit(3, 72, 24, False, "relu", 1),
    Unit(5, 72, 40, True, "relu", 2),
    Unit(5, 120, 40, True, "relu", 1),
    Unit(5, 120, 40, True, "relu", 1),
    Unit(3, 240, 80, False, "hardswish", 2),
    Unit(3, 200, 80, False, "hardswish", 1),
    Unit(3, 184, 80, False, "hardswish", 1),
    Unit(3, 184, 80, False, "hardswish", 1),
    Unit(3, 480, 112, True, "hardswish", 1),
    Unit(3, 672, 112, True, "hardswish", 1),
    Unit(5, 672, 160, True, "hardswish", 2),
    Unit(5, 960, 160, True, "hardswish", 1),
    Unit(5, 960, 160, True, "hardswish", 1),
)
SMALL = (
    Unit(3, 16, 16, True, "relu", 2),
    Unit(3, 72, 24, False, "relu", 2),
    Unit(3, 88, 24, False, "relu", 1),
    Unit(5, 96, 40, True, "hardswish", 2),
    Unit(5, 240, 40, True, "hardswish", 1),
    Unit(5, 240, 40, True, "hardswish", 1),
    Unit(5, 120, 48, True, "hardswish", 1),
    Unit(5, 144, 48, True, "hardswish", 1),
    Unit(5, 288, 96, True, "hardswish", 2),
    Unit(5, 576, 96, True, "hardswish", 1),
    Unit(5, 576, 96, True, "hardswish", 1),
)


@dataclass(frozen=True)
class Options:
    """scale: width multiplier; disable_se: no squeeze-and-excitation anywhere (PP-OCRv2 and later)."""

    model_name: Literal["large", "small"] = "large"
    scale: float = 0.5
    disable_se: bool = False

    def __post_init__(self) -> None:
        if self.scale not in SCALES:
            raise ValueError(f"scale {self.scale}, expected one of {', '.join(map(str, SCALES))}")


def rounded(width: float) -> int:
    """The multiple of 8 nearest to ``width``, at least 8 and never more than 10 % below it."""
    multiple = max(8, int(width + 4) // 8 * 8)
    return multiple + 8 if multiple < 0.9 * width else multiple


class ConvNorm(nn.Module):
    """Convolution, BatchNorm, activation; (N, C, H, W) -> (N, C', H', W')."""

    norm_pairs = (("conv", "bn"),)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 1,
        stride: int | tuple[int, int] = 1,
        groups: int = 1,
        activation: Activation = "none",
    ):
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel_size, stride, kernel_size // 2, groups=groups, bias=False
        )
        self.bn = nn.BatchNorm2d(out_channels)
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H', W')."""
        return activated(self.bn, self.conv(x), self.activation)


class ResidualUnit(nn.Module):
    """1x1 expansion, depthwise convolution, optional excitation, 1x1 projection; shortcut where shapes agree."""

    def __init__(self, in_channels: int, unit: Unit, scale: float, excited: bool):
        super().__init__()
        middle, out_channels = rounded(scale * unit.expanded), rounded(scale * unit.out_channels)
        self.has_shortcut = unit.stride == 1 and in_channels == out_channels
        self.expand_conv = ConvNorm(in_channels, middle, activation=unit.activation)
        self.bottleneck_conv = ConvNorm(
            middle, middle, unit.kernel_size, unit.stride, groups=middle, activation=unit.activation
        )
        self.mid_se = SqueezeExcite(middle, _GATE_SLOPE) if excited else nn.Identity()
        self.linear_conv = ConvNorm(middle, out_channels)
        self.out_channels = out_channels

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H/stride, W/stride)."""
        out = self.linear_conv(self.mid_se(self.bottleneck_conv(self.expand_conv(x))))
        return x + out if self.has_shortcut else out


@backbones.register("MobileNetV3", Options)
class MobileNetV3(nn.Module):
    """(N, 3, H, W) -> four maps at strides 4, 8, 16, 32."""

    def __init__(self, options: Options):
        super().__init__()
        large = options.model_name == "large"
        channels = rounded(FIRST_WIDTH * options.scale)
        self.conv = ConvNorm(3, channels, 3, 2, activation="hardswish")
        stages: list[list[nn.Module]] = [[]]
        widths: list[int] = []
        for index, unit in enumerate(LARGE if large else SMALL):
            if unit.stride == 2 and index > (2 if large else 0):
                widths.append(channels)
                stages.append([])
            layer = ResidualUnit(channels, unit, options.scale, unit.excited and not options.disable_se)
            stages[-1].append(layer)
            channels = layer.out_channels
        last = rounded(options.scale * (960 if large else 576))
        stages[-1].append(ConvNorm(channels, last, activation="hardswish"))
        self.stages = len(stages)
        for index, stage in enumerate(stages):
            self.add_module(f"stage{index}", nn.Sequential(*stage))
        self.out_channels = (*widths, last)
        initialise_(self)

    def forward(self, x: Tensor) -> list[Tensor]:
        """(N, 3, H, W), normalised -> four maps (N, C_i, H/2^i, W/2^i), i = 2..5."""
        x = self.conv(x)
        maps = []
        for index in range(self.stages):
            x = getattr(self, f"stage{index}")(x)
            maps.append(x)
        return maps
