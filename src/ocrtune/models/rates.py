"""Which parameters learn at a multiple of the learning rate, as PaddleOCR sets by ``ParamAttr(learning_rate=...)``."""

from __future__ import annotations

from torch import nn


def own_rates(model: nn.Module) -> dict[str, float]:
    """Parameter name -> factor of the learning rate, for the parameters whose factor is not 1.

    A component declares it by ``rate_factor``, for every parameter below itself; where components nest, the innermost
    one counts.
    """
    found: dict[str, float] = {}
    for place, module in model.named_modules():  # outer modules come first
        factor = getattr(module, "rate_factor", None)
        if factor is not None:
            for name, _ in module.named_parameters(prefix=place):
                found[name] = factor
    return {name: factor for name, factor in found.items() if factor != 1}
