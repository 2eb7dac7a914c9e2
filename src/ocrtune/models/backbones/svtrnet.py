"""SVTRNet: text recognition by attention over image patches (Du et al., 2022).

PaddleOCR ``ppocr/modeling/backbones/rec_svtrnet.py`` at 79f652f5: PP-OCRv4's ``rec_svtr_large`` and the teacher of its
distillation.
"""

# calling an nn.Module is untyped
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ocrtune.core.errors import Problem, TrainingError
from ocrtune.models.attention import MixingBlock, Mlp, StepAttention
from ocrtune.models.initialise import initialise_, kaiming_normal_, kaiming_uniform_
from ocrtune.models.registry import backbones

_STAGES = 3
_MERGES = 2  # each halves the height

Mixer = Literal["Local", "Global", "Conv"]
Size = tuple[int, int]
Triple = tuple[int, int, int]


@dataclass(frozen=True)
class Options:
    """Three stages of blocks over patches of 2^sub_num x 2^sub_num pixels; the height halves between stages.

    img_size: (height, width) in pixels that training gives: positions are learnt for this size alone. In inference
        another size is resized to it.
    embed_dim, depth, num_heads: width, blocks and heads (groups of a convolution) of each stage.
    mixer: of each block: attention to all patches, attention to a window, or a grouped convolution.
    local_mixer: (height, width) of the window or the convolution's kernel, in patches, per stage.
    patch_merging: how the height halves; None: it does not. prenorm: PaddleOCR's name for normalising after each sum.
    last_stage: average to ``out_char_num`` columns of ``out_channels`` channels; otherwise the last stage's map as it
        is, which MultiHead pools with ``use_pool``.
    drop_path_rate: of the last block; it grows from 0 at the first.
    """

    img_size: Size = (32, 100)
    embed_dim: Triple = (64, 128, 256)
    depth: Triple = (3, 6, 3)
    num_heads: Triple = (2, 4, 8)
    mixer: tuple[Mixer, ...] = ("Local",) * 6 + ("Global",) * 6
    local_mixer: tuple[Size, Size, Size] = ((7, 11), (7, 11), (7, 11))
    patch_merging: Literal["Conv", "Pool"] | None = "Conv"
    mlp_ratio: float = 4.0
    qkv_bias: bool = True
    drop_rate: float = 0.0
    last_drop: float = 0.1
    attn_drop_rate: float = 0.0
    drop_path_rate: float = 0.1
    epsilon: float = 1e-6
    out_channels: int = 192
    out_char_num: int = 25
    last_stage: bool = True
    sub_num: Literal[2, 3] = 2
    prenorm: bool = True

    def __post_init__(self) -> None:
        if len(self.mixer) != sum(self.depth):
            raise ValueError(f"mixer has {len(self.mixer)} entries, depth asks for {sum(self.depth)}")
        for width, heads in zip(self.embed_dim, self.num_heads):
            if width % heads:
                raise ValueError(f"embed_dim {width} is not a multiple of num_heads {heads}")
        if not all(side % 2 for size in self.local_mixer for side in size):
            raise ValueError("local_mixer has an even side; odd sides keep the size")
        if self.patch_merging is None and len(set(self.embed_dim)) > 1:
            raise ValueError("without patch_merging every stage has the same embed_dim")
        patch = 2 ** (self.sub_num + (_MERGES if self.patch_merging else 0))
        if self.img_size[0] % patch or self.img_size[1] % 2**self.sub_num:
            raise ValueError(f"img_size {list(self.img_size)}: expected multiples of {patch} x {2**self.sub_num}")
        if not self.last_stage and self.out_channels != self.embed_dim[-1]:
            raise ValueError(
                f"without last_stage the output has embed_dim {self.embed_dim[-1]} channels, "
                f"out_channels says {self.out_channels}; set one of them right, or last_stage: true"
            )


class ConvNormGelu(nn.Module):
    """3x3 convolution of stride 2, BatchNorm, GELU; (N, C, H, W) -> (N, C', H/2, W/2)."""

    norm_pairs = (("conv", "norm"),)

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, 2, padding=1)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H/2, W/2)."""
        return F.gelu(self.norm(self.conv(x)))


class PatchEmbed(nn.Module):
    """(N, 3, H, W) -> (N, C, H/2^n, W/2^n)."""

    def __init__(self, width: int, halvings: int):
        super().__init__()
        widths = [3, *(width // 2**i for i in reversed(range(halvings)))]
        self.proj = nn.Sequential(*(ConvNormGelu(*pair) for pair in itertools.pairwise(widths)))

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, C, H/2^n, W/2^n)."""
        x = self.proj(x)
        if x.requires_grad:
            # what follows reads patch after patch, so the gradient comes with channels last; for a batch of one,
            # BatchNorm's backward pass then takes the wrong numbers (PyTorch 2.13 on CPU)
            x.register_hook(torch.Tensor.contiguous)  # type: ignore[no-untyped-call]  # torch has no types for it
        return x


class ConvMixer(nn.Module):
    """A grouped convolution over the patches; (N, H W, C) -> (N, H W, C)."""

    def __init__(self, width: int, groups: int, size: Size, kernel: Size):
        super().__init__()
        self.size = size
        padding = (kernel[0] // 2, kernel[1] // 2)
        self.local_mixer = nn.Conv2d(width, width, kernel, padding=padding, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        """(N, H W, C) -> (N, H W, C)."""
        return as_steps(self.local_mixer(as_map(x, self.size)))


class SubSample(nn.Module):
    """Half the height and another width; (N, C, H, W) -> (N, H/2 W, C'), normalised."""

    def __init__(self, in_channels: int, out_channels: int, pool: bool):
        super().__init__()
        self.pool = pool
        if pool:
            self.proj = nn.Linear(in_channels, out_channels)
        else:
            self.conv = nn.Conv2d(in_channels, out_channels, 3, (2, 1), padding=1)
        self.norm = nn.LayerNorm(out_channels, eps=1e-5)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, H/2 W, C')."""
        if not self.pool:
            return self.norm(as_steps(self.conv(x)))
        mean = F.avg_pool2d(x, (3, 5), (2, 1), (1, 2), count_include_pad=False)
        return self.norm(self.proj(as_steps((mean + F.max_pool2d(x, (3, 5), (2, 1), (1, 2))) * 0.5)))


class DownscalingDropout(nn.Module):
    """Paddle's ``downscale_in_infer``: scales by 1 - p in inference instead of by 1 / (1 - p) in training."""

    def __init__(self, p: float):
        super().__init__()
        self.dropout = nn.Dropout(p)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        return self.dropout(x) * (1.0 - self.dropout.p)


def as_map(x: Tensor, size: Size) -> Tensor:
    """(N, H W, C) -> (N, C, H, W)."""
    return torch.unflatten(x.transpose(1, 2), 2, size)


def as_steps(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, H W, C)."""
    return x.flatten(2).transpose(1, 2)


def window_mask(size: Size, window: Size) -> Tensor:
    """(H W, H W): 0 where the column's patch lies in the row's window, -inf elsewhere."""
    rows = torch.arange(size[0]).repeat_interleave(size[1])
    columns = torch.arange(size[1]).repeat(size[0])
    near = (rows[:, None] - rows).abs() <= window[0] // 2
    near &= (columns[:, None] - columns).abs() <= window[1] // 2
    return torch.zeros(near.shape).masked_fill(~near, float("-inf"))


@backbones.register("SVTRNet", Options)
class SVTRNet(nn.Module):
    """(N, 3, H, W) of ``img_size`` -> (N, C, 1, out_char_num), or (N, C, H', W') without ``last_stage``."""

    def __init__(self, options: Options):
        super().__init__()
        self.img_size = options.img_size
        widths = options.embed_dim
        height, width = (side // 2**options.sub_num for side in options.img_size)
        self.patch_embed = PatchEmbed(widths[0], options.sub_num)
        self.pos_embed = nn.Parameter(torch.zeros(1, height * width, widths[0]))
        self.pos_drop = nn.Dropout(options.drop_rate)
        self.sizes: list[Size] = []
        total = sum(options.depth)
        rates = [options.drop_path_rate * i / max(total - 1, 1) for i in range(total)]
        for stage in range(_STAGES):
            if stage and options.patch_merging is not None:
                height //= 2
                merge = SubSample(widths[stage - 1], widths[stage], options.patch_merging == "Pool")
                self.add_module(f"sub_sample{stage}", merge)
            self.sizes.append((height, width))
            first = sum(options.depth[:stage])
            indices = range(first, first + options.depth[stage])
            blocks = (_block(options, stage, options.mixer[i], (height, width), rates[i]) for i in indices)
            self.add_module(f"blocks{stage + 1}", nn.ModuleList(blocks))
        self.merges = options.patch_merging is not None
        self.norm = nn.Identity() if options.prenorm else nn.LayerNorm(widths[-1], eps=options.epsilon)
        self.last_conv: nn.Conv2d | None = None
        if options.last_stage:
            self.columns = options.out_char_num
            self.last_conv = nn.Conv2d(widths[-1], options.out_channels, 1, bias=False)
            self.last_drop = DownscalingDropout(options.last_drop)
        self.out_channels = options.out_channels
        self._initialise()

    def _initialise(self) -> None:
        initialise_(self)
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)
            elif isinstance(layer, ConvNormGelu):
                kaiming_uniform_(layer.conv)
            elif isinstance(layer, ConvMixer):
                kaiming_normal_(layer.local_mixer)
            elif isinstance(layer, SubSample) and not layer.pool:
                kaiming_normal_(layer.conv)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W), normalised -> (N, C, H', W'). In training, TrainingError for an image of another size."""
        if tuple(x.shape[2:]) != self.img_size:
            x = self._resized(x)
        steps = self.pos_drop(as_steps(self.patch_embed(x)) + self.pos_embed)
        for stage in range(_STAGES):
            if stage and self.merges:
                steps = getattr(self, f"sub_sample{stage}")(as_map(steps, self.sizes[stage - 1]))
            for block in getattr(self, f"blocks{stage + 1}"):
                steps = block(steps)
        x = as_map(self.norm(steps), self.sizes[-1])
        if self.last_conv is None:
            return x
        x = F.adaptive_avg_pool2d(x, (1, self.columns))
        return self.last_drop(F.hardswish(self.last_conv(x)))

    def _resized(self, x: Tensor) -> Tensor:
        if self.training:
            what = "SVTRNet trains on images of {} x {} pixels, got {} x {}".format(*self.img_size, *x.shape[2:])
            fix = "set RecResizeImg: {{image_shape: [3, {}, {}]}} in Train".format(*self.img_size)
            raise TrainingError(Problem("Architecture.Backbone.img_size", what, fix))
        return F.interpolate(x, self.img_size, mode="bilinear", align_corners=False)


def _block(options: Options, stage: int, mixer: Mixer, size: Size, drop_path: float) -> MixingBlock:
    width, heads, window = options.embed_dim[stage], options.num_heads[stage], options.local_mixer[stage]
    module: nn.Module
    if mixer == "Conv":
        module = ConvMixer(width, heads, size, window)
    else:
        mask = window_mask(size, window) if mixer == "Local" else None
        module = StepAttention(width, heads, options.qkv_bias, options.drop_rate, options.attn_drop_rate, mask)
    mlp = Mlp(width, int(width * options.mlp_ratio), nn.GELU(), options.drop_rate)
    return MixingBlock(width, module, mlp, drop_path, options.epsilon, norm_after=options.prenorm)
