"""Which layers of a PyTorch model run in inference, and in which order."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import torch
from torch import nn

from ocrtune.core.errors import ConfigError

_SIZES = (
    (64, 64),
    (48, 64),
    (32, 64),
)  # detection; recognition at 48 and at 32 pixels: the order does not depend on it


@dataclass(frozen=True)
class Trace:
    """Layers with own parameters in order of execution in eval mode; a layer used twice is there twice."""

    calls: tuple[tuple[str, nn.Module], ...]

    @property
    def executed(self) -> frozenset[str]:
        """Names of the layers that inference uses."""
        return frozenset(name for name, _ in self.calls)

    @property
    def classifier(self) -> str | None:
        """The last Linear layer: in recognition its rows are the classes. None when the model has none."""
        return next((name for name, module in reversed(self.calls) if isinstance(module, nn.Linear)), None)

    @property
    def classes(self) -> int | None:
        """Rows of the classifier; None when the model has none."""
        return next((m.out_features for _, m in reversed(self.calls) if isinstance(m, nn.Linear)), None)

    def summary(self) -> str:
        """``83 Conv2d, 2 ConvTranspose2d``."""
        counts = Counter(type(module).__name__ for _, module in self.calls)
        return ", ".join(f"{n} {kind}" for kind, n in counts.most_common()) or "no layer with weights"

    def uses(self, tensor: str) -> bool:
        """Whether the tensor ``layer.weight`` belongs to an executed layer."""
        return tensor.rpartition(".")[0] in self.executed


def trace(model: nn.Module) -> Trace:
    """Run ``model`` once on a small blank image and record its layers. The model's mode is put back afterwards."""
    calls: list[tuple[str, nn.Module]] = []
    handles = [
        module.register_forward_pre_hook(lambda module, _, name=name: calls.append((name, module)))
        for name, module in model.named_modules()
        if any(True for _ in module.parameters(recurse=False))
    ]
    modes = [(module, module.training) for module in model.modules()]
    parameter = next(model.parameters())
    failure: Exception | None = None
    try:
        model.eval()
        for height, width in _SIZES:
            calls.clear()
            try:
                with torch.no_grad():
                    model(torch.zeros(1, 3, height, width, dtype=parameter.dtype, device=parameter.device))
                return Trace(tuple(calls))
            except (ConfigError, RuntimeError, ValueError) as error:  # this network does not take that height
                failure = error
    finally:
        for handle in handles:
            handle.remove()
        for module, mode in modes:
            module.training = mode
    raise failure or RuntimeError("the model cannot run")
