"""Intra-instance collaborative learning: strips and squares of three sizes look along a text line and across it.

I3CL (Du et al., 2022); PaddleOCR ``ppocr/modeling/necks/intracl.py`` at 79f652f5.
"""

# calling an nn.Module is untyped
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

_SIZES = (7, 5, 3)


class IntraCL(nn.Module):
    """Half the channels pass three times through a square, a tall and a wide convolution; (N, C, H, W) kept."""

    norm_pairs = (("conv1x1_return_channel", "bn"),)

    def __init__(self, channels: int):
        super().__init__()
        middle = channels // 2
        self.conv1x1_reduce_channel = nn.Conv2d(channels, middle, 1)
        self.conv1x1_return_channel = nn.Conv2d(middle, channels, 1)
        for k in _SIZES:
            for name, (height, width) in zip(_names(k), ((k, k), (k, 1), (1, k))):
                margin = height // 2, width // 2
                self.add_module(name, nn.Conv2d(middle, middle, (height, width), padding=margin))
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        related = self.conv1x1_reduce_channel(x)
        for k in _SIZES:
            square, tall, wide = (getattr(self, name) for name in _names(k))
            related = square(related) + tall(related) + wide(related)
        return x + F.relu(self.bn(self.conv1x1_return_channel(related)))


def _names(k: int) -> tuple[str, str, str]:
    """Of the k x k, the k x 1 and the 1 x k convolution, in the order of execution."""
    return f"c_layer_{k}x{k}", f"v_layer_{k}x1", f"q_layer_1x{k}"


def add_intra_cl_(neck: nn.Module, channels: int) -> None:
    """Give ``neck`` one block per level, finest first, under PaddleOCR's names ``incl1`` to ``incl4``."""
    for index in range(1, 5):
        neck.add_module(f"incl{index}", IntraCL(channels))


def intra_cl(neck: nn.Module, levels: Sequence[Tensor]) -> list[Tensor]:
    """Levels (p2, p3, p4, p5), each through its block; coarse first, as PaddleOCR executes them."""
    found = [getattr(neck, f"incl{index}")(levels[index - 1]) for index in (4, 3, 2, 1)]
    return found[::-1]
