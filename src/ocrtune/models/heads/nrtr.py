"""The NRTR decoder that guides CTC in training (PaddleOCR ``ppocr/modeling/heads/rec_nrtr_head.py``, 79f652f5).

Sheng et al., 2019. It is never part of inference, so only the teacher-forced pass exists here.
"""

# calling an nn.Module is untyped
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ocrtune.core.charset import Charset
from ocrtune.core.errors import Problem, TrainingError
from ocrtune.models.attention import Mlp
from ocrtune.models.initialise import initialise_

_HEAD_WIDTH = 32
_SPECIAL_CLASSES = 4  # blank, unknown, start (2), end (3) come before the characters
_UNUSED_CLASS = 1  # PaddleOCR counts one class too many; kept so that its weights fit
_DROPOUT = 0.1
_LONGEST = 5000


@dataclass(frozen=True)
class Options:
    """nrtr_dim: width, a multiple of 32; max_text_length: characters of the longest label."""

    nrtr_dim: int = 256
    max_text_length: int = 25
    num_decoder_layers: int = 4

    def __post_init__(self) -> None:
        if self.nrtr_dim % _HEAD_WIDTH:
            raise ValueError(f"nrtr_dim {self.nrtr_dim} is not a multiple of {_HEAD_WIDTH}")


def class_count(charset: Charset) -> int:
    """Classes of the decoder: special ones, the characters, and PaddleOCR's spare one (CTC classes + 4)."""
    return _SPECIAL_CLASSES + len(charset) + _UNUSED_CLASS


class ColumnProjection(nn.Module):
    """(N, C, W) -> (N, W, width)."""

    def __init__(self, in_channels: int, width: int):
        super().__init__()
        self.fc = nn.Linear(in_channels, width, bias=False)
        initialise_(self)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, W) -> (N, W, width)."""
        return self.fc(x.transpose(1, 2))


class Attention(nn.Module):
    """Causal attention of a sequence to itself, or attention to a memory; (N, L, C) -> (N, L, C)."""

    def __init__(self, width: int, to_itself: bool):
        super().__init__()
        self.heads = width // _HEAD_WIDTH
        self.to_itself = to_itself
        if to_itself:
            self.qkv = nn.Linear(width, 3 * width)
        else:
            self.q = nn.Linear(width, width)
            self.kv = nn.Linear(width, 2 * width)
        self.out_proj = nn.Linear(width, width)

    def forward(self, query: Tensor, memory: Tensor | None = None) -> Tensor:
        """query (N, L, C), memory (N, T, C) -> (N, L, C)."""
        if memory is None:
            q, k, v = self._heads(self.qkv(query), 3)
        else:
            (q,) = self._heads(self.q(query), 1)
            k, v = self._heads(self.kv(memory), 2)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=self.to_itself)
        return self.out_proj(mixed.transpose(1, 2).flatten(2))

    def _heads(self, x: Tensor, parts: int) -> tuple[Tensor, ...]:
        """(N, L, parts C) -> parts x (N, heads, L, C / heads)."""
        return torch.unflatten(x, 2, (parts, self.heads, _HEAD_WIDTH)).permute(2, 0, 3, 1, 4).unbind(0)


class DecoderBlock(nn.Module):
    """Self-attention, attention to the image, MLP; each added to its input and then normalised."""

    def __init__(self, width: int):
        super().__init__()
        self.self_attn = Attention(width, to_itself=True)
        self.norm1 = nn.LayerNorm(width, eps=1e-5)
        self.cross_attn = Attention(width, to_itself=False)
        self.norm2 = nn.LayerNorm(width, eps=1e-5)
        self.mlp = Mlp(width, 4 * width, nn.ReLU(), _DROPOUT)
        self.norm3 = nn.LayerNorm(width, eps=1e-5)
        self.drop = nn.Dropout(_DROPOUT)

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        """x (N, L, C), memory (N, T, C) -> (N, L, C)."""
        x = self.norm1(x + self.drop(self.self_attn(x)))
        x = self.norm2(x + self.drop(self.cross_attn(x, memory)))
        return self.norm3(x + self.drop(self.mlp(x)))


class Embedding(nn.Module):
    """Class numbers (N, L) -> vectors (N, L, C), scaled by sqrt(C)."""

    def __init__(self, classes: int, width: int):
        super().__init__()
        self.embedding = nn.Embedding(classes, width, padding_idx=0)
        nn.init.normal_(self.embedding.weight, 0.0, width**-0.5)
        self.scale = math.sqrt(width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(N, L) -> (N, L, C)."""
        return self.embedding(tokens) * self.scale


def sinusoids(length: int, width: int) -> Tensor:
    """(length, width): sines and cosines of falling frequency, interleaved."""
    position = torch.arange(length, dtype=torch.float32)[:, None]
    frequency = torch.exp(torch.arange(0, width, 2, dtype=torch.float32) * (-math.log(10000.0) / width))
    return torch.stack((torch.sin(position * frequency), torch.cos(position * frequency)), 2).flatten(1)


class NRTRDecoder(nn.Module):
    """Predicts each next token of the label from the tokens before it and the image columns."""

    def __init__(self, options: Options, charset: Charset):
        super().__init__()
        width, classes = options.nrtr_dim, class_count(charset)
        self.embedding = Embedding(classes, width)
        self.positions: Tensor
        self.register_buffer("positions", sinusoids(_LONGEST, width), persistent=False)
        self.drop = nn.Dropout(_DROPOUT)
        self.decoder = nn.ModuleList(DecoderBlock(width) for _ in range(options.num_decoder_layers))
        self.tgt_word_prj = nn.Linear(width, classes, bias=False)
        initialise_(self)
        nn.init.normal_(self.tgt_word_prj.weight, 0.0, width**-0.5)

    def forward(self, memory: Tensor, targets: Mapping[str, Tensor] | None) -> Tensor:
        """memory (N, T, C), ``targets["nrtr"]`` (N, L): start, characters, end, padding -> (N, L - 1, classes).

        Row i of the result predicts token i + 1. With ``targets["length"]`` (N,), L is cut to the longest label.
        """
        if targets is None or "nrtr" not in targets:
            fix = "encode the labels with MultiLabelEncode (gtc_encode NRTRLabelEncode), or remove NRTRHead"
            raise TrainingError(Problem("Architecture.Head", "the NRTR branch got no labels", fix))
        tokens = targets["nrtr"]
        if "length" in targets:
            tokens = tokens[:, : 2 + int(targets["length"].max())]
        x = self.embedding(tokens[:, :-1])
        x = self.drop(x + self.positions[: x.shape[1]])
        for block in self.decoder:
            x = block(x, memory)
        return self.tgt_word_prj(x)
