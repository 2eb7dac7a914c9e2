"""The pyramid of PP-OCRv3 to v5 mobile detection (PaddleOCR ``ppocr/modeling/necks/db_fpn.py`` RSEFPN, 79f652f5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from ocrtune.models.excited import ExcitedConvolution
from ocrtune.models.initialise import initialise_, kaiming_uniform_
from ocrtune.models.intra_cl import add_intra_cl_, intra_cl
from ocrtune.models.pyramid import COARSE_TO_FINE, Pyramid, stacked, top_down
from ocrtune.models.registry import necks


@dataclass(frozen=True)
class Options:
    """out_channels: channels of the fused map, a multiple of 16; shortcut: add each map to its excited self.

    intracl: relate the pixels of each level, see :class:`ocrtune.models.intra_cl.IntraCL`.
    """

    out_channels: int
    shortcut: bool = True
    intracl: bool = False

    def __post_init__(self) -> None:
        if self.out_channels % 16:
            raise ValueError(f"out_channels {self.out_channels} is not a multiple of 16")


@necks.register("RSEFPN", Options)
class RSEFPN(nn.Module):
    """Four maps at strides 4 to 32 -> :class:`Pyramid` of ``out_channels``; residual squeeze-and-excitation."""

    gives = "pyramid"

    def __init__(self, options: Options, in_channels: Sequence[int]):
        super().__init__()
        width, shortcut = options.out_channels, options.shortcut
        self.out_channels = width
        laterals = [ExcitedConvolution(channels, width, 1, shortcut) for channels in in_channels]
        smooth = [ExcitedConvolution(width, width // 4, 3, shortcut) for _ in in_channels]
        self.ins_conv, self.inp_conv = nn.ModuleList(laterals), nn.ModuleList(smooth)
        self.intracl = options.intracl
        if options.intracl:
            add_intra_cl_(self, width // 4)
        initialise_(self)
        kaiming_uniform_(*(layer.in_conv for layer in (*laterals, *smooth)))

    def forward(self, maps: Sequence[Tensor]) -> Pyramid:
        """Maps (N, C_i, H/2^i, W/2^i), i = 2..5, H and W multiples of 32 -> Pyramid."""
        laterals = [self.ins_conv[i](maps[i]) for i in COARSE_TO_FINE]
        levels = top_down(laterals[::-1])
        smooth = [self.inp_conv[i](levels[i]) for i in COARSE_TO_FINE][::-1]
        return Pyramid(stacked(intra_cl(self, smooth) if self.intracl else smooth), *levels[:3])
