"""MobileNetV3 for recognition (Howard et al., 2019): only the height shrinks after the first convolution.

PaddleOCR ``ppocr/modeling/backbones/rec_mobilenet_v3.py`` at 79f652f5. A YAML calls it ``MobileNetV3``, like the
detection network; ``model_type: rec`` chooses this one.
"""

# calling an nn.Module is untyped
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from ocrtune.models.backbones.mobilenet_v3 import FIRST_WIDTH, LARGE, SCALES, SMALL, ConvNorm, ResidualUnit, rounded
from ocrtune.models.initialise import initialise_
from ocrtune.models.registry import backbones

_LARGE_AT = (0, 1, 3, 12)  # the units whose stride an option gives
_SMALL_AT = (0, 1, 3, 8)
_DETECTION_ONLY_AT = 6  # strided in detection's large network, not here

Strides = tuple[int, int, int, int]


@dataclass(frozen=True)
class Options:
    """scale: width multiplier. large_stride, small_stride: vertical strides of the four units that shrink the map, of
    the network that ``model_name`` chooses; the first of ``large_stride`` shrinks the width too.

    disable_se: no squeeze-and-excitation anywhere.
    """

    model_name: Literal["large", "small"] = "small"
    scale: float = 0.5
    large_stride: Strides = (1, 2, 2, 2)
    small_stride: Strides = (2, 2, 2, 2)
    disable_se: bool = False

    def __post_init__(self) -> None:
        if self.scale not in SCALES:
            raise ValueError(f"scale {self.scale}, expected one of {', '.join(map(str, SCALES))}")


@backbones.register("MobileNetV3", Options, task="rec")
class RecMobileNetV3(nn.Module):
    """(N, 3, 32, W) -> (N, C, 1, W/4) with ``small_stride`` (1, 2, 2, 2) or ``large_stride`` (1, 2, 2, 2)."""

    def __init__(self, options: Options):
        super().__init__()
        large = options.model_name == "large"
        units = list(LARGE if large else SMALL)
        if large:
            units[_DETECTION_ONLY_AT] = units[_DETECTION_ONLY_AT]._replace(stride=1)
        strides = options.large_stride if large else options.small_stride
        for index, stride in zip(_LARGE_AT if large else _SMALL_AT, strides):
            both = large and index == 0
            units[index] = units[index]._replace(stride=stride if both else (stride, 1))
        channels = rounded(FIRST_WIDTH * options.scale)
        self.conv1 = ConvNorm(3, channels, 3, 2, activation="hardswish")
        layers: list[ResidualUnit] = []
        for unit in units:
            layers.append(ResidualUnit(channels, unit, options.scale, unit.excited and not options.disable_se))
            channels = layers[-1].out_channels
        self.blocks = nn.Sequential(*layers)
        self.out_channels = rounded(options.scale * (960 if large else 576))
        self.conv2 = ConvNorm(channels, self.out_channels, activation="hardswish")
        self.pool = nn.MaxPool2d(2)
        initialise_(self)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W), normalised -> (N, C, 1, W')."""
        return self.pool(self.conv2(self.blocks(self.conv1(x))))
