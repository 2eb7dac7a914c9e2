"""Which parameters carry an L2 factor of their own, as PaddleOCR gives them through ``ParamAttr(regularizer=...)``."""

from __future__ import annotations

from torch import nn


def own_l2(model: nn.Module) -> dict[str, float]:
    """Parameter name -> L2 factor, for the parameters whose factor replaces the optimizer's.

    A component declares them by ``l2_overrides``: submodule name ("" for itself) -> factor.
    """
    found: dict[str, float] = {}
    for place, module in model.named_modules():
        for name, factor in getattr(module, "l2_overrides", {}).items():
            prefix = ".".join(part for part in (place, name) if part)
            for parameter, _ in module.get_submodule(name).named_parameters():
                found[f"{prefix}.{parameter}"] = factor
    return found
