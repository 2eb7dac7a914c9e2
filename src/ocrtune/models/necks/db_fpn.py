"""The plain feature pyramid of DB (PaddleOCR ``ppocr/modeling/necks/db_fpn.py`` DBFPN, 79f652f5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from ocrtune.models.initialise import kaiming_uniform_
from ocrtune.models.pyramid import Pyramid, stacked, top_down
from ocrtune.models.registry import necks

_LEVELS = (2, 3, 4, 5)


@dataclass(frozen=True)
class Options:
    """out_channels: channels of the fused map; a multiple of 4."""

    out_channels: int

    def __post_init__(self) -> None:
        if self.out_channels % 4:
            raise ValueError(f"out_channels {self.out_channels} is not a multiple of 4")


@necks.register("DBFPN", Options)
class DBFPN(nn.Module):
    """Four maps at strides 4 to 32 -> :class:`Pyramid` of ``out_channels``."""

    gives = "pyramid"

    def __init__(self, options: Options, in_channels: Sequence[int]):
        super().__init__()
        self.out_channels = options.out_channels
        for level, channels in zip(_LEVELS, in_channels):
            self.add_module(f"in{level}_conv", nn.Conv2d(channels, self.out_channels, 1, bias=False))
        for level in _LEVELS:
            smooth = nn.Conv2d(self.out_channels, self.out_channels // 4, 3, padding=1, bias=False)
            self.add_module(f"p{level}_conv", smooth)
        kaiming_uniform_(*(layer for layer in self.children() if isinstance(layer, nn.Conv2d)))

    def forward(self, maps: Sequence[Tensor]) -> Pyramid:
        """Maps (N, C_i, H/2^i, W/2^i), i = 2..5, H and W multiples of 32 -> Pyramid."""
        laterals = [getattr(self, f"in{level}_conv")(x) for level, x in zip(_LEVELS, maps)]
        levels = top_down(laterals)
        smooth = [getattr(self, f"p{level}_conv")(x) for level, x in zip(_LEVELS, levels)]
        return Pyramid(stacked(smooth), *levels[:3])
