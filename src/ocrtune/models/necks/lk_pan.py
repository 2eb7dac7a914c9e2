"""The large-kernel path aggregation of server detection.

PaddleOCR ``ppocr/modeling/necks/db_fpn.py`` (LKPAN, DSConv) at 79f652f5.
"""

# calling an nn.Module is untyped
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from ocrtune.models.activated import activated
from ocrtune.models.initialise import initialise_, kaiming_uniform_
from ocrtune.models.intra_cl import add_intra_cl_, intra_cl
from ocrtune.models.pyramid import COARSE_TO_FINE, Pyramid, aggregated, stacked, top_down
from ocrtune.models.registry import necks

_KERNEL = 9


@dataclass(frozen=True)
class Options:
    """out_channels: channels of the fused map, a multiple of 8; mode: plain or depthwise-separable 9x9 convolutions.

    intracl: relate the pixels of each level, see :class:`ocrtune.models.intra_cl.IntraCL`.
    """

    out_channels: int
    mode: Literal["large", "lite"] = "large"
    intracl: bool = False

    def __post_init__(self) -> None:
        if self.out_channels % 8:
            raise ValueError(f"out_channels {self.out_channels} is not a multiple of 8")


class SeparableConvolution(nn.Module):
    """Depthwise k x k, 1x1 to four times the width, ReLU, 1x1; a 1x1 shortcut where the width changes."""

    norm_pairs = (("conv1", "bn1"), ("conv2", "bn2"))

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int):
        super().__init__()
        middle = 4 * in_channels
        margin = kernel_size // 2
        self.conv1 = nn.Conv2d(in_channels, in_channels, kernel_size, padding=margin, groups=in_channels, bias=False)
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.conv2 = nn.Conv2d(in_channels, middle, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(middle)
        self.conv3 = nn.Conv2d(middle, out_channels, 1, bias=False)
        self.conv_end = nn.Conv2d(in_channels, out_channels, 1, bias=False) if in_channels != out_channels else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H, W)."""
        out = activated(self.bn2, self.conv2(self.bn1(self.conv1(x))), "relu")
        out = self.conv3(out)
        return out if self.conv_end is None else out + self.conv_end(x)


def _large(in_channels: int, out_channels: int, mode: str) -> nn.Module:
    if mode == "lite":
        return SeparableConvolution(in_channels, out_channels, _KERNEL)
    return nn.Conv2d(in_channels, out_channels, _KERNEL, padding=_KERNEL // 2, bias=False)


@necks.register("LKPAN", Options)
class LKPAN(nn.Module):
    """Four maps at strides 4 to 32 -> :class:`Pyramid` of ``out_channels``; down the pyramid, then up again."""

    gives = "pyramid"

    def __init__(self, options: Options, in_channels: Sequence[int]):
        super().__init__()
        full, width, mode = options.out_channels, options.out_channels // 4, options.mode
        self.out_channels = full
        self.ins_conv = nn.ModuleList(nn.Conv2d(channels, full, 1, bias=False) for channels in in_channels)
        self.inp_conv = nn.ModuleList(_large(full, width, mode) for _ in in_channels)
        self.pan_head_conv = nn.ModuleList(
            nn.Conv2d(width, width, 3, stride=2, padding=1, bias=False) for _ in in_channels[1:]
        )
        self.pan_lat_conv = nn.ModuleList(_large(width, width, mode) for _ in in_channels)
        self.intracl = options.intracl
        if options.intracl:
            add_intra_cl_(self, width)
        initialise_(self)
        paths = (self.ins_conv, self.inp_conv, self.pan_head_conv, self.pan_lat_conv)
        kaiming_uniform_(*(layer for path in paths for layer in path if isinstance(layer, nn.Conv2d)))

    def forward(self, maps: Sequence[Tensor]) -> Pyramid:
        """Maps (N, C_i, H/2^i, W/2^i), i = 2..5, H and W multiples of 32 -> Pyramid."""
        laterals = [self.ins_conv[i](maps[i]) for i in COARSE_TO_FINE]
        levels = top_down(laterals[::-1])
        smooth = aggregated(levels, self.inp_conv, self.pan_head_conv, self.pan_lat_conv)
        return Pyramid(stacked(intra_cl(self, smooth) if self.intracl else smooth), *levels[:3])
