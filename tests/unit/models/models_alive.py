"""Backbones as after training: BatchNorms with statistics, weights and biases of their own."""

from __future__ import annotations

from typing import Any

import torch
from models_architectures import parse
from torch import Tensor, nn

from ocrtune.models.registry import backbones


def backbone(name: str, task: str | None = None, **options: Any) -> Any:
    """The registered backbone with options as a YAML gives them."""
    key = name if task is None else f"{task}/{name}"
    return backbones.get(key).factory(parse(backbones, {"name": key, **options}).options)


def alive(module: nn.Module) -> nn.Module:
    """``module`` in float64 and eval mode, its BatchNorms as after training."""
    module = module.double().eval()
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.normal_(layer.bias, 0, 0.2)
            layer.running_mean.normal_(0, 0.2)
            layer.running_var.uniform_(0.5, 1.5)
    return module


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@torch.no_grad()
def outputs(module: nn.Module, *shape: int) -> list[Tensor]:
    """What ``module`` makes of a random image (N, 3, H, W), always the same one."""
    image = torch.randn(shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    found = module(image.to(next(module.parameters()).dtype))
    return [found] if isinstance(found, Tensor) else list(found)
