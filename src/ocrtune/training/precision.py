"""Device and arithmetic of a run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch
from torch import nn

Precision = Literal["auto", "float32", "bfloat16"]


def choose_device(name: str | None = None) -> torch.device:
    """``name`` as PyTorch spells it; None takes a CUDA GPU when PyTorch finds one, else the CPU."""
    return torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))


def placed(model: nn.Module, device: torch.device) -> nn.Module:
    """``model`` on ``device``, its weights in channels_last (measured on a CPU: ``benchmarks/training_step.py``)."""
    move: Callable[..., nn.Module] = model.to  # its stubs lack the memory format
    return move(device, memory_format=torch.channels_last)


def choose_precision(wanted: Precision, device: torch.device) -> torch.dtype:
    """The type that autocast computes in; ``auto`` is bfloat16 only where the hardware multiplies it natively."""
    if wanted == "auto":
        return torch.bfloat16 if has_native_bfloat16(device) else torch.float32
    return torch.bfloat16 if wanted == "bfloat16" else torch.float32


def has_native_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 is faster than float32 there: AVX512_BF16 or AMX on a CPU, Ampere or newer on a GPU.

    oneDNN runs bfloat16 on any AVX-512 CPU, by emulation, which is slower; such a CPU does not count.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return False


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[None]:
    """The context of a forward pass; nothing for float32."""
    if dtype == torch.float32:
        return nullcontext()
    return torch.autocast(device.type, dtype=dtype)
