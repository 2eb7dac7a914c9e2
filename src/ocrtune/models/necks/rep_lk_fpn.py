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

from ocrtune.models.fusion import centred, fused, set_weight_and_bias_, undilated
from ocrtune.models.initialise import initialise_, kaiming_uniform_
from ocrtune.models.pyramid import Pyramid, stacked, top_down
from ocrtune.models.registry import necks
from ocrtune.models.squeeze_excite import SqueezeExcite

_GATE_SLOPE = 0.2
_COARSE_TO_FINE = (3, 2, 1, 0)  # the order of execution in PaddleOCR's files
_BRANCHES = {  # kernel size: (kernel, dilation) of the parallel branches
    5: ((3, 1), (3, 2)),
    7: ((5, 1), (3, 2), (3, 3)),
    9: ((5, 1), (5, 2), (3, 3), (3, 4)),
    11: ((5, 1), (5, 2), (3, 3), (3, 4), (3, 5)),
    13: ((5, 1), (7, 2), (3, 3), (3, 4), (3, 5)),
}


@dataclass(frozen=True)
class Options:
    """out_channels: channels of the fused map, a multiple of 16; shortcut: add the map to its excited self."""

    out_channels: int
    dilated_kernel_size: Literal[5, 7, 9, 11, 13] = 7
    shortcut: bool = True

    def __post_init__(self) -> None:
        if self.out_channels % 16:
            raise ValueError(f"out_channels {self.out_channels} is not a multiple of 16")


class DilatedRepDepthwise(nn.Module):
    """A large depthwise convolution beside dilated small ones, each normalised; one convolution when merged."""

    norm_pairs = (("lk_origin", "origin_bn"),)
    folds_in_release = True

    def __init__(self, channels: int, kernel_size: int):
        super().__init__()
        self.lk_origin = nn.Conv2d(
            channels, channels, kernel_size, padding=kernel_size // 2, groups=channels, bias=False
        )
        self.origin_bn: nn.Module = nn.BatchNorm2d(channels)
        self.branches: tuple[tuple[int, int], ...] = _BRANCHES[kernel_size]
        for kernel, dilation in self.branches:
            margin = dilation * (kernel - 1) // 2
            branch = nn.Conv2d(
                channels, channels, kernel, padding=margin, dilation=dilation, groups=channels, bias=False
            )
            self.add_module(f"dil_conv_k{kernel}_{dilation}", branch)
            self.add_module(f"dil_bn_k{kernel}_{dilation}", nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        out = self.origin_bn(self.lk_origin(x))
        for kernel, dilation in self.branches:
            conv, norm = self._branch(kernel, dilation)
            out = out + norm(conv(x))
        return out

    def _branch(self, kernel: int, dilation: int) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
        suffix = f"k{kernel}_{dilation}"
        return getattr(self, f"dil_conv_{suffix}"), getattr(self, f"dil_bn_{suffix}")

    def merge_branches_(self) -> None:
        """Put every branch into ``lk_origin``; its BatchNorm becomes an identity, the branches vanish."""
        if not self.branches:
            return
        assert isinstance(self.origin_bn, nn.BatchNorm2d)
        weight, bias = fused(self.lk_origin, self.origin_bn)
        for kernel, dilation in self.branches:
            branch_weight, branch_bias = fused(*self._branch(kernel, dilation))
            weight = weight + centred(undilated(branch_weight, dilation), weight.shape[-1])
            bias = bias + branch_bias
            delattr(self, f"dil_conv_k{kernel}_{dilation}")
            delattr(self, f"dil_bn_k{kernel}_{dilation}")
        set_weight_and_bias_(self.lk_origin, weight, bias)
        self.origin_bn = nn.Identity()
        self.branches = ()


class ExcitedLateral(nn.Module):
    """1x1 convolution, then squeeze-and-excitation, added to its input where asked."""

    def __init__(self, in_channels: int, out_channels: int, shortcut: bool):
        super().__init__()
        self.in_conv = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.se_block = SqueezeExcite(out_channels, _GATE_SLOPE)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, out_channels, H, W)."""
        x = self.in_conv(x)
        return x + self.se_block(x) if self.shortcut else self.se_block(x)


@necks.register("UniRepLKFPN", Options)
class RepLKFPN(nn.Module):
    """Four maps at strides 4 to 32 -> :class:`Pyramid` of ``out_channels``."""

    gives = "pyramid"

    def __init__(self, options: Options, in_channels: Sequence[int]):
        super().__init__()
        width, kernel = options.out_channels, options.dilated_kernel_size
        self.out_channels = width
        self.shortcut = options.shortcut
        laterals = [ExcitedLateral(channels, width, options.shortcut) for channels in in_channels]
        pointwise = [nn.Conv2d(width, width // 4, 1, bias=False) for _ in in_channels]
        self.ins_conv = nn.ModuleList(laterals)
        self.inp_conv_dw = nn.ModuleList(DilatedRepDepthwise(width, kernel) for _ in in_channels)
        self.inp_conv_pw = nn.ModuleList(pointwise)
        self.inp_conv_se = nn.ModuleList(SqueezeExcite(width // 4, _GATE_SLOPE) for _ in in_channels)
        initialise_(self)
        kaiming_uniform_(*(lateral.in_conv for lateral in laterals), *pointwise)

    def forward(self, maps: Sequence[Tensor]) -> Pyramid:
        """Maps (N, C_i, H/2^i, W/2^i), i = 2..5, H and W multiples of 32 -> Pyramid."""
        laterals = [self.ins_conv[i](maps[i]) for i in _COARSE_TO_FINE]
        levels = top_down(laterals[::-1])
        smooth = [self._smooth(i, levels[i]) for i in _COARSE_TO_FINE]
        return Pyramid(stacked(smooth[::-1]), *levels[:3])

    def _smooth(self, level: int, x: Tensor) -> Tensor:
        x = self.inp_conv_pw[level](self.inp_conv_dw[level](x))
        excited = self.inp_conv_se[level](x)
        return x + excited if self.shortcut else excited
