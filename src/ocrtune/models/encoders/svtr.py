"""The SVTR neck of PP-OCRv3 to v5 (PaddleOCR ``ppocr/modeling/necks/rnn.py`` EncoderWithSVTR, 79f652f5)."""

# calling an nn.Module is untyped
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ocrtune.models.attention import MixingBlock, Mlp, StepAttention
from ocrtune.models.encoders.lightsvtr import ConvNormSwish
from ocrtune.models.encoders.reshape import columns_to_steps
from ocrtune.models.initialise import initialise_, kaiming_uniform_
from ocrtune.models.registry import encoders

_REDUCTION = 8  # of the input's channels, before attention and before the output


@dataclass(frozen=True)
class Options:
    """dims: width of the output; hidden_dims: of the attention blocks; depth: their number.

    kernel_size: (height, width), odd, of the convolutions before and after attention.
    use_guide: stop the gradient of this branch at its input, so that only the guiding (SAR or NRTR) head trains the
        backbone. PaddleOCR's v3 to v5 configs do that; off by default, as fine-tuning wants the backbone trained.
    """

    dims: int = 64
    depth: int = 2
    hidden_dims: int = 120
    num_heads: int = 8
    qkv_bias: bool = True
    mlp_ratio: float = 2.0
    drop_rate: float = 0.1
    attn_drop_rate: float = 0.1
    drop_path: float = 0.0
    kernel_size: tuple[int, int] = (3, 3)
    use_guide: bool = False

    def __post_init__(self) -> None:
        if self.hidden_dims % self.num_heads:
            raise ValueError(f"hidden_dims {self.hidden_dims} is not a multiple of num_heads {self.num_heads}")
        if not all(side % 2 for side in self.kernel_size):
            raise ValueError(f"kernel_size {list(self.kernel_size)} has an even side; odd sides keep the width")


@encoders.register("svtr", Options)
class SVTREncoder(nn.Module):
    """Attention over the columns, its result beside the input into a last convolution; (N, C, 1, W) -> (N, W, dims)."""

    def __init__(self, options: Options, in_channels: int):
        super().__init__()
        hidden, narrow = options.hidden_dims, in_channels // _REDUCTION
        self.use_guide = options.use_guide
        self.conv1 = ConvNormSwish(in_channels, narrow, options.kernel_size)
        self.conv2 = ConvNormSwish(narrow, hidden)
        self.svtr_block = nn.ModuleList(
            MixingBlock(
                hidden,
                StepAttention(hidden, options.num_heads, options.qkv_bias, options.drop_rate, options.attn_drop_rate),
                Mlp(hidden, int(hidden * options.mlp_ratio), nn.SiLU(), options.drop_rate),
                options.drop_path,
            )
            for _ in range(options.depth)
        )
        self.norm = nn.LayerNorm(hidden, eps=1e-6)
        self.conv3 = ConvNormSwish(hidden, in_channels)
        self.conv4 = ConvNormSwish(2 * in_channels, narrow, options.kernel_size)
        self.conv1x1 = ConvNormSwish(narrow, options.dims)
        self.out_channels = options.dims
        self._initialise()

    def _initialise(self) -> None:
        initialise_(self)
        for layer in self.modules():
            if isinstance(layer, ConvNormSwish):
                kaiming_uniform_(layer.conv)
            elif isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, 1, W) -> (N, W, dims)."""
        if self.use_guide:
            x = x.detach()
        steps = columns_to_steps(self.conv2(self.conv1(x)))
        for block in self.svtr_block:
            steps = block(steps)
        mixed = self.conv3(self.norm(steps).transpose(1, 2).unsqueeze(2))
        return columns_to_steps(self.conv1x1(self.conv4(torch.cat((x, mixed), dim=1))))
