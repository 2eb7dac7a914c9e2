"""What layers are given and what they give, measured on images: the statistics that BatchNorm needs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from ocrtune.models.fusion import Norm

Layer = TypeVar("Layer", bound=nn.Module)


class Moments:
    """Mean and variance per channel, accumulated in float64 with a shift so that nothing cancels."""

    def __init__(self) -> None:
        self.count = 0
        self.mean: Tensor | None = None
        self.squares: Tensor | None = None

    def add(self, x: Tensor) -> None:
        """x: (N, C, H, W) or (N, C, T)."""
        variance, mean = torch.var_mean(x.double(), dim=(0, *range(2, x.ndim)), correction=0)
        count = x.numel() // x.shape[1]
        if self.mean is None or self.squares is None:
            self.count, self.mean, self.squares = count, mean, variance * count
            return
        total = self.count + count
        difference = mean - self.mean
        self.mean = self.mean + difference * (count / total)
        self.squares = self.squares + variance * count + difference**2 * (self.count * count / total)
        self.count = total

    def mean_and_variance(self) -> tuple[Tensor, Tensor]:
        """(C,), (C,), float64."""
        assert self.mean is not None
        assert self.squares is not None
        return self.mean, self.squares / self.count


def moments_of_outputs(model: nn.Module, layers: Collection[Layer], images: Iterable[Tensor]) -> dict[Layer, Moments]:
    """By layer, of what it gives while ``model`` runs over ``images`` in eval mode; those that do not run are left out.

    images: batches (N, 3, H, W). Raises ValueError when there is none, or for activations that are not finite.
    """
    moments: dict[Layer, Moments] = {}

    def record(layer: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        moments.setdefault(layer, Moments()).add(output)

    _run(model, images, [layer.register_forward_hook(record) for layer in layers])
    return _finite(moments)


def moments_of_inputs(model: nn.Module, layers: Collection[Layer], images: Iterable[Tensor]) -> dict[Layer, Moments]:
    """As :func:`moments_of_outputs`, of what each layer is given."""
    moments: dict[Layer, Moments] = {}

    def record(layer: Any, inputs: tuple[Tensor, ...]) -> None:
        moments.setdefault(layer, Moments()).add(inputs[0])

    _run(model, images, [layer.register_forward_pre_hook(record) for layer in layers])
    return _finite(moments)


@torch.no_grad()
def set_statistics_(model: nn.Module, images: Iterable[Tensor]) -> nn.Module:
    """Give the BatchNorms of ``model`` the statistics of what they see of ``images``; the eval function stays the same.

    For networks whose BatchNorms hold made-up statistics: with true ones the network computes nearly the same when it
    trains, where batches are normalised by their own. BatchNorms that do not run in eval mode are left as they are.
    images, errors: see :func:`moments_of_outputs`. Returns ``model``.
    """
    norms = [module for module in model.modules() if isinstance(module, Norm)]
    for norm, found in moments_of_inputs(model, norms, images).items():
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
        shift = norm.bias.double() - scale * norm.running_mean.double()
        mean, variance = found.mean_and_variance()
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.copy_(scale * torch.sqrt(norm.running_var.double() + norm.eps))
        norm.bias.copy_(shift + scale * norm.running_mean.double())
    return model


def _run(model: nn.Module, images: Iterable[Tensor], hooks: list[RemovableHandle]) -> None:
    measured = False
    try:
        with torch.no_grad(), _evaluating(model):
            for batch in images:
                model(batch)
                measured = True
    finally:
        for hook in hooks:
            hook.remove()
    if not measured:
        raise ValueError("no images were given to measure the statistics on")


def _finite(moments: dict[Layer, Moments]) -> dict[Layer, Moments]:
    for found in moments.values():
        if not torch.isfinite(torch.cat(found.mean_and_variance())).all():
            raise ValueError("the model's activations on these images are not finite")
    return moments


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    was_training = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in was_training.items():
            module.training = training
