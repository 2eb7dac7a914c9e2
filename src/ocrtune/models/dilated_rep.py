"""The large depthwise convolution of PP-OCRv6's pyramids, trained as parallel dilated ones.

UniRepLKNet (Ding et al., 2024); PaddleOCR ``ppocr/modeling/necks/db_fpn.py`` DilatedReparamBlock, PP-OCRv6 release.
"""

# calling an nn.Module is untyped
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from torch import Tensor, nn

from ocrtune.models.fusion import centred, fused, set_weight_and_bias_, undilated

_BRANCHES = {  # kernel size: (kernel, dilation) of the parallel branches
    5: ((3, 1), (3, 2)),
    7: ((5, 1), (3, 2), (3, 3)),
    9: ((5, 1), (5, 2), (3, 3), (3, 4)),
    11: ((5, 1), (5, 2), (3, 3), (3, 4), (3, 5)),
    13: ((5, 1), (7, 2), (3, 3), (3, 4), (3, 5)),
}


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
