"""Differentiable binarisation (Liao et al., 2020; PaddleOCR ``ppocr/modeling/heads/det_db_head.py``, 79f652f5).

Auxiliary heads on three pyramid levels are PP-OCRv6's (same file at 28ba0e3d); they exist in training only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ocrtune.core.charset import Charset
from ocrtune.core.errors import ConfigError, Problem
from ocrtune.models.activated import activated
from ocrtune.models.initialise import initialise_, kaiming_uniform_
from ocrtune.models.pyramid import Pyramid
from ocrtune.models.registry import heads

_AUXILIARY = {"p4": 4, "p3": 2, "p2": 1}  # level: enlargement to stride 4


@dataclass(frozen=True)
class Options:
    """k: steepness of the binarisation; kernel_list: kernels of the three layers.

    fix_nan: in training, replace NaN behind the two BatchNorms by 0 (PaddleOCR's guard for fp16).
    aux_in_channels: 0, or the channels of the pyramid: heads on the levels p2, p3, p4 as extra supervision.
    """

    k: int = 50
    kernel_list: tuple[int, int, int] = (3, 2, 2)
    fix_nan: bool = False
    aux_in_channels: int = 0


class MapHead(nn.Module):
    """One probability map: convolution and two transposed ones; (N, C, H/4, W/4) -> (N, 1, H, W) in 0..1.

    fix_nan: see :class:`Options`. folds_in_release: whether PP-OCRv6's inference files fold this head's BatchNorms.
    """

    norm_pairs = (("conv1", "conv_bn1"), ("conv2", "conv_bn2"))

    def __init__(self, channels: int, kernels: tuple[int, int, int], fix_nan: bool, folds_in_release: bool = False):
        super().__init__()
        kernel1, kernel2, kernel3 = kernels
        width = channels // 4
        self.folds_in_release = folds_in_release
        self.fix_nan = fix_nan
        self.conv1 = nn.Conv2d(channels, width, kernel1, padding=kernel1 // 2, bias=False)
        self.conv_bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.ConvTranspose2d(width, width, kernel2, stride=2)
        self.conv_bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.ConvTranspose2d(width, 1, kernel3, stride=2)
        self._initialise(width)

    def _initialise(self, width: int) -> None:
        initialise_(self)
        kaiming_uniform_(self.conv2, self.conv3)
        for norm in (self.conv_bn1, self.conv_bn2):
            nn.init.constant_(norm.bias, 1e-4)
        for convolution in (self.conv2, self.conv3):
            assert convolution.bias is not None
            nn.init.uniform_(convolution.bias, -(width**-0.5), width**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H/4, W/4) -> (N, 1, H, W), probabilities."""
        return self.probability(self.features(x))

    def features(self, x: Tensor) -> Tensor:
        """(N, C, H/4, W/4) -> (N, C/4, H/2, W/2), what the last layer reads."""
        x = self._without_nan(activated(self.conv_bn1, self.conv1(x), "relu"))
        return self._without_nan(activated(self.conv_bn2, self.conv2(x), "relu"))

    def probability(self, features: Tensor) -> Tensor:
        """(N, C/4, H/2, W/2) -> (N, 1, H, W) in 0..1."""
        return probabilities(self.conv3(features))

    def _without_nan(self, x: Tensor) -> Tensor:
        """x: not below 0, so its sum is NaN only where a value is; a CPU adds up sooner than it replaces."""
        if not (self.fix_nan and self.training) or (x.device.type == "cpu" and not x.detach().sum().isnan()):
            return x
        return torch.where(torch.isnan(x), 0.0, x)


def probabilities(logits: Tensor) -> Tensor:
    """The sigmoid, at least in float32.

    bfloat16 has nothing between 0.996 and 1, and a pixel that is 1 learns nothing, however wrong it is; nor are the
    small differences left that the slope of the binary map makes large.
    """
    return torch.sigmoid(logits.float() if logits.dtype in (torch.bfloat16, torch.float16) else logits)


def binarised(shrink: Tensor, threshold: Tensor, k: int) -> Tensor:
    """1 / (1 + exp(-k (shrink - threshold))), written so that it cannot overflow; any shape."""
    return torch.sigmoid(k * (shrink - threshold))


@heads.register("DBHead", Options)
class DBHead(nn.Module):
    """Pyramid -> ``shrink``; in training also ``threshold``, ``binary`` and, with auxiliary heads, ``aux_p*``.

    Inference files hold ``binarize`` alone, so the other maps start untrained when weights come from one.
    """

    reads = "pyramid"

    def __init__(self, options: Options, in_channels: int, charset: Charset | None):
        super().__init__()
        if options.aux_in_channels not in (0, in_channels):
            what = f"{options.aux_in_channels}, but the pyramid has {in_channels} channels"
            raise ConfigError(Problem("Architecture.Head.aux_in_channels", what, f"write {in_channels} or 0"))
        self.k = options.k
        shape = in_channels, options.kernel_list, options.fix_nan
        self.binarize = MapHead(*shape, folds_in_release=True)
        self.thresh = MapHead(*shape)
        self.auxiliary = tuple(_AUXILIARY) if options.aux_in_channels else ()
        for level in self.auxiliary:
            self.add_module(f"aux_binarize_{level}", MapHead(*shape))
            self.add_module(f"aux_thresh_{level}", MapHead(*shape))

    def forward(self, pyramid: Pyramid, targets: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
        """Every map is (N, 1, H, W); ``aux_p*`` (N, 3, H, W) stack shrink, threshold and binary."""
        shrink = self.binarize(pyramid.fused)
        if not self.training:
            return {"shrink": shrink}
        threshold = self.thresh(pyramid.fused)
        outputs = {"shrink": shrink, "threshold": threshold, "binary": binarised(shrink, threshold, self.k)}
        for level in self.auxiliary:
            outputs[f"aux_{level}"] = self._auxiliary_maps(level, getattr(pyramid, level))
        return outputs

    def _auxiliary_maps(self, level: str, x: Tensor) -> Tensor:
        if (factor := _AUXILIARY[level]) > 1:
            x = F.interpolate(x, scale_factor=float(factor), mode="bilinear", align_corners=False)
        shrink = getattr(self, f"aux_binarize_{level}")(x)
        threshold = getattr(self, f"aux_thresh_{level}")(x)
        return torch.cat((shrink, threshold, binarised(shrink, threshold, self.k)), 1)
