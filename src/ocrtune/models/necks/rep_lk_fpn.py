"""The large-kernel pyramid of PP-OCRv6 tiny and small (PaddleOCR ``ppocr/modeling/necks/db_fpn.py`` RepLKFPN).

Dilated re-parameterisation is from UniRepLKNet (Ding et al., 2024). Source read at PaddleOCR's PP-OCRv6 release.
"""

# calling an nn.Module is untyped
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from ocrtune.models.dilated_rep import DilatedRepDepthwise
from ocrtune.models.excited import GATE_SLOPE, ExcitedConvolution
from ocrtune.models.initialise import initialise_, kaiming_uniform_
from ocrtune.models.intra_cl import add_intra_cl_, intra_cl
from ocrtune.models.pyramid import COARSE_TO_FINE, Pyramid, stacked, top_down
from ocrtune.models.registry import necks
from ocrtune.models.squeeze_excite import SqueezeExcite


@dataclass(frozen=True)
class Options:
    """out_channels: channels of the fused map, a multiple of 16; shortcut: add the map to its excited self.

    intracl: relate the pixels of each level, see :class:`ocrtune.models.intra_cl.IntraCL`.
    """

    out_channels: int
    dilated_kernel_size: Literal[5, 7, 9, 11, 13] = 7
    shortcut: bool = True
    intracl: bool = False

    def __post_init__(self) -> None:
        if self.out_channels % 16:
            raise ValueError(f"out_channels {self.out_channels} is not a multiple of 16")


@necks.register("UniRepLKFPN", Options)
class RepLKFPN(nn.Module):
    """Four maps at strides 4 to 32 -> :class:`Pyramid` of ``out_channels``."""

    gives = "pyramid"

    def __init__(self, options: Options, in_channels: Sequence[int]):
        super().__init__()
        width, kernel = options.out_channels, options.dilated_kernel_size
        self.out_channels = width
        self.shortcut = options.shortcut
        laterals = [ExcitedConvolution(channels, width, 1, options.shortcut) for channels in in_channels]
        pointwise = [nn.Conv2d(width, width // 4, 1, bias=False) for _ in in_channels]
        self.ins_conv = nn.ModuleList(laterals)
        self.inp_conv_dw = nn.ModuleList(DilatedRepDepthwise(width, kernel) for _ in in_channels)
        self.inp_conv_pw = nn.ModuleList(pointwise)
        self.inp_conv_se = nn.ModuleList(SqueezeExcite(width // 4, GATE_SLOPE) for _ in in_channels)
        self.intracl = options.intracl
        if options.intracl:
            add_intra_cl_(self, width // 4)
        initialise_(self)
        kaiming_uniform_(*(lateral.in_conv for lateral in laterals), *pointwise)

    def forward(self, maps: Sequence[Tensor]) -> Pyramid:
        """Maps (N, C_i, H/2^i, W/2^i), i = 2..5, H and W multiples of 32 -> Pyramid."""
        laterals = [self.ins_conv[i](maps[i]) for i in COARSE_TO_FINE]
        levels = top_down(laterals[::-1])
        smooth = [self._smooth(i, levels[i]) for i in COARSE_TO_FINE][::-1]
        return Pyramid(stacked(intra_cl(self, smooth) if self.intracl else smooth), *levels[:3])

    def _smooth(self, level: int, x: Tensor) -> Tensor:
        x = self.inp_conv_pw[level](self.inp_conv_dw[level](x))
        excited = self.inp_conv_se[level](x)
        return x + excited if self.shortcut else excited
