"""LKPAN with re-parameterised depthwise kernels, the neck of PP-OCRv6 medium detection.

PaddleOCR ``ppocr/modeling/necks/db_fpn.py`` RepLKPAN, read at its PP-OCRv6 release.
"""

# calling an nn.Module is untyped
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from ocrtune.core.options import ignored
from ocrtune.models.dilated_rep import DilatedRepDepthwise
from ocrtune.models.initialise import initialise_, kaiming_uniform_
from ocrtune.models.intra_cl import add_intra_cl_, intra_cl
from ocrtune.models.pyramid import COARSE_TO_FINE, Pyramid, aggregated, stacked, top_down
from ocrtune.models.registry import necks

_KERNEL = 9


@dataclass(frozen=True)
class Options:
    """out_channels: channels of the fused map, a multiple of 8.

    intracl: relate the pixels of each level, see :class:`ocrtune.models.intra_cl.IntraCL`.
    """

    out_channels: int
    intracl: bool = False
    mode: Any = ignored("RepLKPAN has one kind of convolution")

    def __post_init__(self) -> None:
        if self.out_channels % 8:
            raise ValueError(f"out_channels {self.out_channels} is not a multiple of 8")


class SeparableRepConvolution(nn.Module):
    """A re-parameterised depthwise convolution, a 1x1, BatchNorm; (N, C, H, W) -> (N, C', H, W)."""

    norm_pairs = (("pw", "bn"),)
    folds_in_release = True

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int):
        super().__init__()
        self.dw = DilatedRepDepthwise(in_channels, kernel_size)
        self.pw = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.bn = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H, W)."""
        return self.bn(self.pw(self.dw(x)))


@necks.register("RepLKPAN", Options)
class RepLKPAN(nn.Module):
    """Four maps at strides 4 to 32 -> :class:`Pyramid` of ``out_channels``; down the pyramid, then up again."""

    gives = "pyramid"

    def __init__(self, options: Options, in_channels: Sequence[int]):
        super().__init__()
        full, width = options.out_channels, options.out_channels // 4
        self.out_channels = full
        laterals = [nn.Conv2d(channels, full, 1, bias=False) for channels in in_channels]
        down = [nn.Conv2d(width, width, 3, stride=2, padding=1, bias=False) for _ in in_channels[1:]]
        smooth = [SeparableRepConvolution(full, width, _KERNEL) for _ in in_channels]
        last = [SeparableRepConvolution(width, width, _KERNEL) for _ in in_channels]
        self.ins_conv, self.inp_conv = nn.ModuleList(laterals), nn.ModuleList(smooth)
        self.pan_head_conv, self.pan_lat_conv = nn.ModuleList(down), nn.ModuleList(last)
        self.intracl = options.intracl
        if options.intracl:
            add_intra_cl_(self, width)
        initialise_(self)
        kaiming_uniform_(*laterals, *down, *(layer.pw for layer in (*smooth, *last)))

    def forward(self, maps: Sequence[Tensor]) -> Pyramid:
        """Maps (N, C_i, H/2^i, W/2^i), i = 2..5, H and W multiples of 32 -> Pyramid."""
        laterals = [self.ins_conv[i](maps[i]) for i in COARSE_TO_FINE]
        levels = top_down(laterals[::-1])
        smooth = aggregated(levels, self.inp_conv, self.pan_head_conv, self.pan_lat_conv)
        return Pyramid(stacked(intra_cl(self, smooth) if self.intracl else smooth), *levels[:3])
