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


class GlobalAttention(nn.Module):
    """Every step attends to every step; (N, T, C) -> (N, T, C)."""

    def __init__(self, width: int, heads: int, qkv_bias: bool, dropout: float, attention_dropout: float):
        super().__init__()
        self.heads = heads
        self.scale = (width // heads) ** -0.5
        self.qkv = nn.Linear(width, width * 3, bias=qkv_bias)
        self.attn_drop = nn.Dropout(attention_dropout)
        self.proj = nn.Linear(width, width)
        self.proj_drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, C) -> (N, T, C)."""
        q, k, v = self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)
        weights = torch.softmax((q * self.scale) @ k.transpose(2, 3), dim=-1)
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


class AttentionBlock(nn.Module):
    """Attention and MLP, each on normalised input and added to its input (PaddleOCR's ``prenorm=False``)."""

    def __init__(
        self,
        width: int,
        heads: int,
        mlp_ratio: float,
        qkv_bias: bool,
        dropout: float,
        attention_dropout: float,
        drop_path: float,
        eps: float = 1e-5,
    ):
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=eps)
        self.mixer = GlobalAttention(width, heads, qkv_bias, dropout, attention_dropout)
        self.drop_path = StochasticDepth(drop_path)
        self.norm2 = nn.LayerNorm(width, eps=eps)
        self.mlp = Mlp(width, int(width * mlp_ratio), nn.SiLU(), dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, C) -> (N, T, C)."""
        x = x + self.drop_path(self.mixer(self.norm1(x)))
        return x + self.drop_path(self.mlp(self.norm2(x)))
