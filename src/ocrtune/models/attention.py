"""The transformer block of SVTR (PaddleOCR ``ppocr/modeling/backbones/rec_svtrnet.py``, 79f652f5; Du et al., 2022)."""

# calling an nn.Module is untyped
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

import torch
from torch import Tensor, nn


class Mlp(nn.Module):
    """Two linear layers; (..., C) -> (..., C)."""

    def __init__(self, width: int, hidden: int, activation: nn.Module, dropout: float):
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.act = activation
        self.fc2 = nn.Linear(hidden, width)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) -> (..., C)."""
        return self.drop(self.fc2(self.drop(self.act(self.fc1(x)))))


class StepAttention(nn.Module):
    """Every step attends to every step, or to those that ``mask`` leaves it; (N, T, C) -> (N, T, C).

    mask: (T, T), 0 where row attends to column and -inf elsewhere; not part of the state.
    """

    mask: Tensor | None

    def __init__(
        self,
        width: int,
        heads: int,
        qkv_bias: bool,
        dropout: float,
        attention_dropout: float,
        mask: Tensor | None = None,
    ):
        super().__init__()
        self.register_buffer("mask", mask, persistent=False)
        self.heads = heads
        self.scale = (width // heads) ** -0.5
        self.qkv = nn.Linear(width, width * 3, bias=qkv_bias)
        self.attn_drop = nn.Dropout(attention_dropout)
        self.proj = nn.Linear(width, width)
        self.proj_drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, C) -> (N, T, C)."""
        q, k, v = self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)
        scores = (q * self.scale) @ k.transpose(2, 3)
        if self.mask is not None:
            scores = scores + self.mask
        weights = torch.softmax(scores, dim=-1)
        mixed = (self.attn_drop(weights) @ v).transpose(1, 2).flatten(2)
        return self.proj_drop(self.proj(mixed))


class StochasticDepth(nn.Module):
    """In training, drops the whole branch of a sample with probability ``p`` and scales the others up."""

    def __init__(self, p: float):
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """(N, ...) -> (N, ...)."""
        if self.p == 0.0 or not self.training:
            return x
        kept = torch.rand((x.shape[0],) + (1,) * (x.ndim - 1), device=x.device) >= self.p
        return x * kept.to(x.dtype) / (1.0 - self.p)


class MixingBlock(nn.Module):
    """A mixer of steps and an MLP, each added to its input; (N, T, C) -> (N, T, C).

    mixer: (N, T, C) -> (N, T, C). norm_after: normalise after each addition (PaddleOCR's ``prenorm: true``) instead of
    before the mixer and the MLP.
    """

    def __init__(
        self,
        width: int,
        mixer: nn.Module,
        mlp: Mlp,
        drop_path: float = 0.0,
        eps: float = 1e-5,
        norm_after: bool = False,
    ):
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=eps)
        self.mixer = mixer
        self.drop_path = StochasticDepth(drop_path)
        self.norm2 = nn.LayerNorm(width, eps=eps)
        self.mlp = mlp
        self.norm_after = norm_after

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, C) -> (N, T, C)."""
        if self.norm_after:
            x = self.norm1(x + self.drop_path(self.mixer(x)))
            return self.norm2(x + self.drop_path(self.mlp(x)))
        x = x + self.drop_path(self.mixer(self.norm1(x)))
        return x + self.drop_path(self.mlp(self.norm2(x)))
