"""Networks without values: names and shapes of parameters, in a fraction of the time and memory of building them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from ocrtune.core.charset import Charset
from ocrtune.weights.released import build_section

_DRAWS = ("normal_", "uniform_", "fill_", "zero_")


def outline(section: Mapping[str, Any], charset: Charset | None) -> nn.Module:
    """The network of an ``Architecture`` section on PyTorch's meta device: it has shapes, and cannot run."""
    with torch.device("meta"), _Uninitialised():
        return build_section(section, charset)


def with_memory(model: nn.Module) -> nn.Module:
    """Give an outline zeros for values, in place, so that it runs; returns it."""
    model.to_empty(device="cpu")
    for value in (*model.parameters(), *model.buffers()):
        value.detach().zero_()
    return model


class _Uninitialised(TorchFunctionMode):
    """Leaves out the drawing of initial values, which takes longer than everything else."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.__name__ in _DRAWS:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **(kwargs or {}))
