"""A convolution with squeeze-and-excitation (PaddleOCR ``ppocr/modeling/necks/db_fpn.py`` RSELayer, 79f652f5)."""

# calling an nn.Module is untyped
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from torch import Tensor, nn

from ocrtune.models.squeeze_excite import SqueezeExcite

GATE_SLOPE = 0.2  # of the squeeze-and-excitation in detection pyramids


class ExcitedConvolution(nn.Module):
    """k x k convolution, then squeeze-and-excitation, added to its input where asked."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, shortcut: bool):
        super().__init__()
        self.in_conv = nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=False)
        self.se_block = SqueezeExcite(out_channels, GATE_SLOPE)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, out_channels, H, W)."""
        x = self.in_conv(x)
        return x + self.se_block(x) if self.shortcut else self.se_block(x)
