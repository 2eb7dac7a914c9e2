"""PPLCNetV3, the backbone of PP-OCRv4 and v5 mobile.

PaddleOCR ``ppocr/modeling/backbones/rec_lcnetv3.py`` at 79f652f5.
"""

# calling an nn.Module is untyped
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ocrtune.core.options import ignored
from ocrtune.models.columns import averaged_columns
from ocrtune.models.fusion import centred, fused, set_weight_and_bias_
from ocrtune.models.initialise import initialise_, kaiming_normal_
from ocrtune.models.registry import backbones
from ocrtune.models.squeeze_excite import SqueezeExcite

Stride = int | tuple[int, int]
STEM = 16
FIRST_STAGE = 2  # stages are called blocks2 to blocks6
DETECTION_WIDTHS = (16, 24, 56, 480)  # of the maps given to the neck, at scale 1


class Unit(NamedTuple):
    """A block at scale 1: kernel of its depthwise convolution, width, stride, whether it has SE."""

    kernel_size: int
    out_channels: int
    stride: Stride = 1
    excited: bool = False


Stages = tuple[tuple[Unit, ...], ...]


def _stages(strides: tuple[Stride, Stride, Stride, Stride, Stride]) -> Stages:
    """blocks2 to blocks6; ``strides``: of blocks3, 4, 5, 6 and of the third block of blocks6."""
    third, fourth, fifth, sixth, last = strides
    return (
        (Unit(3, 32),),
        (Unit(3, 64, third), Unit(3, 64)),
        (Unit(3, 128, fourth), Unit(3, 128)),
        (Unit(3, 256, fifth), *[Unit(5, 256)] * 4),
        (Unit(5, 512, sixth, True), Unit(5, 512, 1, True), Unit(5, 512, last), Unit(5, 512)),
    )


DETECTION = _stages((2, 2, 2, 2, 1))
RECOGNITION = _stages((1, (2, 1), (1, 2), (2, 1), (2, 1)))


@dataclass(frozen=True)
class Options:
    """scale: width multiplier; det: four maps for detection instead of one for recognition.

    conv_kxk_num: parallel k x k convolutions of each layer in training.
    lr_mult_list: factors of the learning rate, of the stem and of the five stages.
    lab_lr: another such factor, of the learnable scales and shifts.
    """

    scale: float = 1.0
    det: bool = False
    conv_kxk_num: int = 4
    lr_mult_list: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
    lab_lr: float = 0.1
    pretrained: Any = ignored("PaddleOCR's PPLCNetV3 does not read it")

    def __post_init__(self) -> None:
        if len(self.lr_mult_list) != 6:
            raise ValueError(f"lr_mult_list has {len(self.lr_mult_list)} factors, expected 6: the stem and five stages")
        if self.conv_kxk_num < 1:
            raise ValueError(f"conv_kxk_num {self.conv_kxk_num}, expected at least 1")


def rounded(width: float) -> int:
    """The multiple of 16 nearest to ``width``, at least 16 and never more than 10 % below it."""
    multiple = max(16, int(width + 8) // 16 * 16)
    return multiple + 16 if multiple < 0.9 * width else multiple


class Affine(nn.Module):
    """``scale * x + bias`` with one learnable number each, which learn at ``rate_factor`` of the rate."""

    def __init__(self, rate_factor: float):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.bias = nn.Parameter(torch.zeros(1))
        self.rate_factor = rate_factor

    def forward(self, x: Tensor) -> Tensor:
        """Any shape, kept."""
        return self.scale * x + self.bias


class ActivatedAffine(nn.Module):
    """Hard swish, then :class:`Affine`."""

    def __init__(self, rate_factor: float):
        super().__init__()
        self.lab: nn.Module = Affine(rate_factor)

    def forward(self, x: Tensor) -> Tensor:
        """Any shape, kept."""
        return self.lab(F.hardswish(x))


class ConvNorm(nn.Module):
    """Convolution and BatchNorm; (N, C, H, W) -> (N, C', H/stride, W/stride)."""

    norm_pairs = (("conv", "bn"),)
    rate_factor: float | None = None

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: Stride, groups: int = 1):
        super().__init__()
        margin = kernel_size // 2
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, margin, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(out_channels)
        self.l2_overrides = {"bn": 0.0}

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H/stride, W/stride)."""
        return self.bn(self.conv(x))


class RepLayer(nn.Module):
    """Parallel k x k convolutions, a 1x1 and an identity, each normalised, summed; then affine, hard swish, affine.

    The identity exists where shapes agree, the 1x1 where k > 1. With stride 2 along both axes PaddleOCR skips the
    activation, so its two numbers (``act.lab``) are without use: they are kept, frozen, for the sake of checkpoints.
    """

    norm_pairs = (("reparam_conv", "reparam_norm"),)
    folds_in_release = True
    reparam_conv: nn.Conv2d | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: Stride = 1,
        groups: int = 1,
        branches: int = 4,
        affine_rate: float = 0.1,
    ):
        super().__init__()
        shape = (in_channels, out_channels, kernel_size, stride, groups)
        self.identity = nn.BatchNorm2d(in_channels) if in_channels == out_channels and stride == 1 else None
        self.conv_kxk = nn.ModuleList(ConvNorm(*shape) for _ in range(branches))
        self.conv_1x1 = ConvNorm(in_channels, out_channels, 1, stride, groups) if kernel_size > 1 else None
        self.lab: nn.Module = Affine(affine_rate)
        self.act = ActivatedAffine(affine_rate)
        self.activated = stride != 2
        self.act.requires_grad_(self.activated)
        self.register_module("reparam_conv", None)
        self.reparam_norm: nn.Module | None = None

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H/stride, W/stride)."""
        x = self.lab(self._branches(x) if self.reparam_conv is None else self._merged(x))
        return self.act(x) if self.activated else x

    def _branches(self, x: Tensor) -> Tensor:
        branches = [branch for branch in (self.identity, self.conv_1x1) if branch is not None]
        out = self.conv_kxk[0](x)
        for branch in (*branches, *self.conv_kxk[1:]):
            out = out + branch(x)
        return out

    def _merged(self, x: Tensor) -> Tensor:
        assert self.reparam_conv is not None
        assert self.reparam_norm is not None
        return self.reparam_norm(self.reparam_conv(x))

    def merge_branches_(self) -> None:
        """Replace the branches by ``reparam_conv``, a convolution with a bias."""
        if self.reparam_conv is not None:
            return
        convolutions = [branch for branch in self.conv_kxk if isinstance(branch, ConvNorm)]
        first = convolutions[0]
        weight, bias = fused(first.conv, first.bn)
        size = weight.shape[-1]
        parts = [fused(branch.conv, branch.bn) for branch in convolutions[1:]]
        if self.conv_1x1 is not None:
            parts.append(fused(self.conv_1x1.conv, self.conv_1x1.bn))
        if self.identity is not None:
            parts.append(fused(_identity(first.conv), self.identity))
        for branch_weight, branch_bias in parts:
            weight = weight + centred(branch_weight, size)
            bias = bias + branch_bias
        self.reparam_conv, self.reparam_norm = first.conv, nn.Identity()
        set_weight_and_bias_(self.reparam_conv, weight, bias)
        self.conv_kxk = nn.ModuleList()
        self.conv_1x1 = self.identity = None

    def absorb_affines_(self) -> None:
        """Let ``reparam_conv`` do what ``lab`` does; only when folded (see :mod:`ocrtune.models.absorb`)."""
        if isinstance(self.lab, Affine) and isinstance(self.reparam_norm, nn.Identity):
            _scale_output_(self.reparam_conv, self.lab)
            self.lab = nn.Identity()


def _identity(convolution: nn.Conv2d) -> nn.Conv2d:
    """The 1x1 convolution with the groups of ``convolution`` that changes nothing."""
    channels, groups = convolution.in_channels, convolution.groups
    found = nn.Conv2d(channels, channels, 1, groups=groups, bias=False).to(convolution.weight)
    nn.init.dirac_(found.weight, groups)
    return found


def _scale_output_(convolution: nn.Conv2d | None, affine: Affine) -> None:
    assert convolution is not None
    assert convolution.bias is not None
    scale, shift = affine.scale.double(), affine.bias.double()
    set_weight_and_bias_(convolution, convolution.weight * scale, convolution.bias * scale + shift)


def _scale_input_(convolution: nn.Conv2d | None, affine: Affine) -> None:
    """convolution: 1x1, so that no padding would see the shift."""
    assert convolution is not None
    assert convolution.bias is not None
    weight = convolution.weight.double()
    bias = convolution.bias + weight.sum((1, 2, 3)) * affine.bias
    set_weight_and_bias_(convolution, weight * affine.scale, bias)


class Block(nn.Module):
    """A depthwise layer, SE where asked, a 1x1 layer."""

    def __init__(self, in_channels: int, out_channels: int, unit: Unit, options: Options, rate: float):
        super().__init__()
        self.rate_factor = rate
        branches, affine_rate = options.conv_kxk_num, rate * options.lab_lr
        self.dw_conv = RepLayer(
            in_channels, in_channels, unit.kernel_size, unit.stride, in_channels, branches, affine_rate
        )
        self.se = SqueezeExcite(in_channels) if unit.excited else nn.Identity()
        self.pw_conv = RepLayer(in_channels, out_channels, 1, branches=branches, affine_rate=affine_rate)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H/stride, W/stride)."""
        return self.pw_conv(self.se(self.dw_conv(x)))

    def absorb_affines_(self) -> None:
        """Let the 1x1 convolution do the last affine of the depthwise layer, where no SE lies between."""
        last = self.dw_conv.act
        direct = isinstance(self.se, nn.Identity) and self.dw_conv.activated
        if direct and isinstance(last.lab, Affine) and isinstance(self.pw_conv.reparam_norm, nn.Identity):
            _scale_input_(self.pw_conv.reparam_conv, last.lab)
            last.lab = nn.Identity()


@backbones.register("PPLCNetV3", Options)
class PPLCNetV3(nn.Module):
    """Detection: (N, 3, H, W) -> four maps at strides 4, 8, 16, 32. Recognition: (N, 3, 48, W) -> (N, C, 1, W/8).

    In training, recognition accepts other heights too: see :func:`ocrtune.models.columns.averaged_columns`.
    """

    out_channels: int | tuple[int, ...]

    def __init__(self, options: Options):
        super().__init__()
        self.det = options.det
        channels = rounded(STEM * options.scale)
        self.conv1 = ConvNorm(3, channels, 3, 2)
        self.conv1.rate_factor = options.lr_mult_list[0]
        widths = []
        stages = DETECTION if options.det else RECOGNITION
        for index, (units, rate) in enumerate(zip(stages, options.lr_mult_list[1:]), start=FIRST_STAGE):
            blocks = []
            for unit in units:
                width = rounded(unit.out_channels * options.scale)
                blocks.append(Block(channels, width, unit, options, rate))
                channels = width
            self.add_module(f"blocks{index}", nn.Sequential(*blocks))
            widths.append(channels)
        self._path = [name for name, _ in self.named_children()]
        self.out_channels = channels
        if options.det:
            self.out_channels = tuple(int(width * options.scale) for width in DETECTION_WIDTHS)
            self.layer_list = nn.ModuleList(
                nn.Conv2d(width, out, 1) for width, out in zip(widths[1:], self.out_channels)
            )
        initialise_(self)
        kaiming_normal_(*(module.conv for module in self.modules() if isinstance(module, ConvNorm)))

    def forward(self, x: Tensor) -> Tensor | list[Tensor]:
        """(N, 3, H, W), normalised -> see the class."""
        maps = []
        for name in self._path:
            x = getattr(self, name)(x)
            maps.append(x)
        if self.det:
            return [project(x) for project, x in zip(self.layer_list, maps[2:])]
        return averaged_columns(x, self.training)
