"""PPLCNetV4, the backbone of PP-OCRv6 (PaddleOCR ``ppocr/modeling/backbones/rec_lcnetv4.py``, 28ba0e3d)."""

# calling an nn.Module is untyped
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ocrtune.core.options import ignored
from ocrtune.models.activated import activated
from ocrtune.models.columns import averaged_columns
from ocrtune.models.fusion import centred, fused, set_weight_and_bias_
from ocrtune.models.initialise import initialise_
from ocrtune.models.registry import backbones
from ocrtune.models.squeeze_excite import SqueezeExcite

Stride = int | tuple[int, int]


class Stage(NamedTuple):
    """Blocks at one resolution: the first may change stride and width; ``excited`` are the indices with SE."""

    width: int
    stride: Stride
    blocks: int
    excited: tuple[int, ...] = ()


class Layout(NamedTuple):
    """One size of the network: stem widths, whether the stem has two branches, stages."""

    stem: tuple[int, int]
    branched_stem: bool
    stages: tuple[Stage, ...]


def _detection(stem: tuple[int, int], widths: tuple[int, int, int, int]) -> Layout:
    s1, s2, s3, s4 = widths
    return Layout(
        stem, True, (Stage(s1, 1, 2, (0,)), Stage(s2, 2, 3, (1,)), Stage(s3, 2, 5, (1, 3)), Stage(s4, 2, 3, (1,)))
    )


DETECTION = {
    "tiny": _detection((16, 32), (32, 48, 64, 160)),
    "small": _detection((24, 48), (48, 96, 192, 384)),
    "medium": _detection((64, 128), (128, 256, 512, 896)),
}
RECOGNITION = {
    "tiny": Layout(
        (24, 48),
        False,
        (Stage(48, 1, 1, (0,)), Stage(48, 1, 1), Stage(96, (2, 1), 3, (1,)), Stage(160, (2, 1), 4, (1,))),
    ),
    "small": Layout(
        (48, 96),
        True,
        (Stage(96, 1, 1, (0,)), Stage(96, 1, 2), Stage(192, (2, 1), 7, (1, 3, 5)), Stage(384, (2, 1), 3, (1,))),
    ),
    "medium": Layout(
        (64, 128),
        True,
        (Stage(128, 1, 1, (0,)), Stage(256, 1, 3, (2,)), Stage(512, (2, 1), 7, (1, 3, 5)), Stage(768, (2, 1), 3, (1,))),
    ),
}


@dataclass(frozen=True)
class Options:
    """``Architecture.Backbone`` with ``name: PPLCNetV4``."""

    det: bool = False
    model_size: Literal["tiny", "small", "medium"] = "small"
    use_rep: Any = ignored("the training branches are always built and folded on export")
    stem_type: Any = ignored("the stem follows from model_size")


class ConvNorm(nn.Module):
    """Convolution and BatchNorm, with ReLU where asked; (N, C, H, W) -> (N, C', H', W')."""

    norm_pairs = (("conv", "bn"),)
    folds_in_release: bool = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 1,
        stride: Stride = 1,
        padding: int = 0,
        groups: int = 1,
        relu: bool = False,
    ):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(out_channels)
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H', W')."""
        return activated(self.bn, self.conv(x), "relu" if self.relu else "none")


class BranchedStem(nn.Module):
    """Stride 4: a strided convolution, then two 2x2 convolutions beside a 2x2 max pooling, joined and strided again.

    The 2x2 windows keep the size: one column is padded on the right and one row at the bottom (Paddle's "SAME").
    """

    def __init__(self, middle: int, out_channels: int):
        super().__init__()
        self.stem1 = ConvNorm(3, middle, 3, 2, 1, relu=True)
        self.stem2a = ConvNorm(middle, middle // 2, 2, relu=True)
        self.stem2b = ConvNorm(middle // 2, middle, 2, relu=True)
        self.stem3 = ConvNorm(middle * 2, middle, 3, 2, 1, relu=True)
        self.stem4 = ConvNorm(middle, out_channels, 1, relu=True)
        self.l2_overrides = {f"{name}.bn": 0.0 for name, _ in self.named_children()}

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, out_channels, H/4, W/4)."""
        x = F.pad(self.stem1(x), (0, 1, 0, 1))  # after ReLU, so 0 is neutral for the max pooling too
        convolved = self.stem2b(F.pad(self.stem2a(x), (0, 1, 0, 1)))
        return self.stem4(self.stem3(torch.cat((F.max_pool2d(x, 2, 1), convolved), 1)))


class RepDepthwise(nn.Module):
    """Depthwise 3x3 + depthwise 1x1 + identity, normalised; one 3x3 convolution once the branches are merged."""

    norm_pairs = (("reparam_conv", "bn"),)
    folds_in_release = True
    reparam_conv: nn.Conv2d | None

    def __init__(self, channels: int):
        super().__init__()
        self.conv = ConvNorm(channels, channels, 3, 1, 1, groups=channels)
        self.conv1 = nn.Conv2d(channels, channels, 1, groups=channels, bias=False)
        self.bn = nn.BatchNorm2d(channels)
        self.register_module("reparam_conv", None)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        if self.reparam_conv is not None:
            return self.bn(self.reparam_conv(x))
        return self.bn(self.conv(x) + self.conv1(x) + x)

    def merge_branches_(self) -> None:
        """Replace the three branches by ``reparam_conv``; the BatchNorm behind them stays."""
        if self.reparam_conv is not None:
            return
        weight, bias = fused(self.conv.conv, self.conv.bn)
        weight = weight + centred(self.conv1.weight.double() + 1.0, 3)
        self.reparam_conv = self.conv.conv
        set_weight_and_bias_(self.reparam_conv, weight, bias)
        del self.conv, self.conv1


class Block(nn.Module):
    """Mixes space (depthwise, optional SE), then channels (1x1 to twice the width, GELU, 1x1 back).

    With stride 1 and unchanged width the spatial part has branches and the channel part a shortcut.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: Stride, excited: bool):
        super().__init__()
        self.has_shortcut = in_channels == out_channels and stride == 1
        self.token_mixer = nn.Sequential()
        if self.has_shortcut:
            self.token_mixer.add_module("rep_dw", RepDepthwise(in_channels))
        else:
            self.token_mixer.add_module("dw_conv", ConvNorm(in_channels, in_channels, 3, stride, 1, in_channels))
        if excited:
            self.token_mixer.add_module("se", SqueezeExcite(in_channels))
        self.channel_mixer = nn.Sequential()
        self.channel_mixer.add_module("expand", ConvNorm(in_channels, 2 * in_channels))
        self.channel_mixer.add_module("act", nn.GELU())
        self.channel_mixer.add_module("compress", ConvNorm(2 * in_channels, out_channels))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H/stride, W/stride)."""
        x = self.token_mixer(x)
        return x + self.channel_mixer(x) if self.has_shortcut else self.channel_mixer(x)


def _stage(in_channels: int, stage: Stage) -> nn.Sequential:
    blocks = [Block(in_channels, stage.width, stage.stride, 0 in stage.excited)]
    blocks += [Block(stage.width, stage.width, 1, i in stage.excited) for i in range(1, stage.blocks)]
    return nn.Sequential(*blocks)


def _plain_stem(middle: int, out_channels: int) -> nn.Sequential:
    layers = ConvNorm(3, middle, 3, 2, 1), ConvNorm(middle, out_channels, 3, 2, 1)
    for layer in layers:
        layer.folds_in_release = False  # PaddleOCR's export leaves these two BatchNorms in the file
    return nn.Sequential(layers[0], nn.GELU(), layers[1])


@backbones.register("PPLCNetV4", Options)
class PPLCNetV4(nn.Module):
    """Detection: (N, 3, H, W) -> four maps at strides 4, 8, 16, 32. Recognition: (N, 3, 48, W) -> (N, C, 1, W/8).

    In training, recognition accepts other heights too: see :func:`ocrtune.models.columns.averaged_columns`.
    """

    out_channels: int | tuple[int, ...]

    def __init__(self, options: Options):
        super().__init__()
        self.det = options.det
        layout = (DETECTION if options.det else RECOGNITION)[options.model_size]
        stem = (BranchedStem if layout.branched_stem else _plain_stem)(*layout.stem)
        widths = [layout.stem[1], *(stage.width for stage in layout.stages)]
        first, prefix = (1, "blocks_s") if options.det else (2, "blocks")
        self.add_module("stem" if options.det else "conv1", stem)
        self._path = ["stem" if options.det else "conv1"]
        for index, (in_channels, stage) in enumerate(zip(widths, layout.stages), start=first):
            self._path.append(f"{prefix}{index}")
            self.add_module(self._path[-1], _stage(in_channels, stage))
        self.out_channels = tuple(widths[1:]) if options.det else widths[-1]
        initialise_(self)
        for block in self.modules():
            if isinstance(block, Block) and block.has_shortcut:  # each block starts as its spatial part alone
                nn.init.zeros_(block.channel_mixer.get_parameter("compress.bn.weight"))

    def forward(self, x: Tensor) -> Tensor | list[Tensor]:
        """(N, 3, H, W), normalised -> see the class."""
        maps = []
        for name in self._path:
            x = getattr(self, name)(x)
            maps.append(x)
        if self.det:
            return maps[1:]
        return averaged_columns(x, self.training)
