"""The light SVTR neck of PP-OCRv6 (PaddleOCR ``ppocr/modeling/necks/rnn.py`` EncoderWithLightSVTR, 0f37d679)."""

# calling an nn.Module is untyped
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from ocrtune.models.attention import MixingBlock, Mlp, StepAttention
from ocrtune.models.encoders.reshape import columns_to_steps
from ocrtune.models.initialise import initialise_, kaiming_normal_, kaiming_uniform_
from ocrtune.models.registry import encoders


@dataclass(frozen=True)
class Options:
    """dims: width; depth: attention blocks; local_kernel: columns seen by the convolution before them.

    use_guide: stop the gradient of this branch at its input, so that only the guiding (NRTR) head trains the
        backbone. PaddleOCR's v3 to v5 configs do that; off by default, as fine-tuning wants the backbone trained.
    """

    dims: int = 64
    depth: int = 1
    num_heads: int = 8
    qkv_bias: bool = True
    mlp_ratio: float = 4.0
    drop_rate: float = 0.1
    attn_drop_rate: float = 0.1
    drop_path: float = 0.0
    local_kernel: int = 7
    use_guide: bool = False

    def __post_init__(self) -> None:
        if self.dims % self.num_heads:
            raise ValueError(f"dims {self.dims} is not a multiple of num_heads {self.num_heads}")
        if self.local_kernel % 2 == 0:
            raise ValueError(f"local_kernel {self.local_kernel} is even; an odd number keeps the width")


class ConvNormSwish(nn.Module):
    """Convolution, BatchNorm, Swish; (N, C, H, W) -> (N, C', H, W) for an odd kernel."""

    norm_pairs = (("conv", "norm"),)

    def __init__(self, in_channels: int, out_channels: int, kernel_size: tuple[int, int] = (1, 1)):
        super().__init__()
        height, width = kernel_size
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, padding=(height // 2, width // 2), bias=False)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H, W)."""
        return F.silu(self.norm(self.conv(x)))


@encoders.register("lightsvtr", Options)
class LightSVTR(nn.Module):
    """A narrow path (1x1, local convolution, attention) plus a 1x1 shortcut; (N, C, 1, W) -> (N, W, dims)."""

    norm_pairs = (("local_conv.0", "local_conv.1"),)

    def __init__(self, options: Options, in_channels: int):
        super().__init__()
        dims, kernel = options.dims, options.local_kernel
        self.use_guide = options.use_guide
        self.conv_reduce = ConvNormSwish(in_channels, dims)
        local = nn.Conv2d(dims, dims, (1, kernel), padding=(0, kernel // 2), groups=dims, bias=False)
        self.local_conv = nn.Sequential(local, nn.BatchNorm2d(dims), nn.SiLU())
        self.svtr_block = nn.ModuleList(
            MixingBlock(
                dims,
                StepAttention(dims, options.num_heads, options.qkv_bias, options.drop_rate, options.attn_drop_rate),
                Mlp(dims, int(dims * options.mlp_ratio), nn.SiLU(), options.drop_rate),
                options.drop_path,
            )
            for _ in range(options.depth)
        )
        self.norm = nn.LayerNorm(dims, eps=1e-6)
        self.skip_conv = ConvNormSwish(in_channels, dims)
        self.out_channels = dims
        self._initialise(local)

    def _initialise(self, local: nn.Conv2d) -> None:
        initialise_(self)
        kaiming_normal_(local)
        kaiming_uniform_(self.conv_reduce.conv, self.skip_conv.conv)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, 1, W) -> (N, W, dims)."""
        if self.use_guide:
            x = x.detach()
        skip = self.skip_conv(x)
        x = self.conv_reduce(x)
        x = columns_to_steps(x + self.local_conv(x))
        for block in self.svtr_block:
            x = block(x)
        return self.norm(x) + columns_to_steps(skip)
