"""Learnable scales and shifts into the convolutions beside them, so that an exported file need not compute them."""

from __future__ import annotations

import torch
from torch import nn


@torch.no_grad()
def absorb_affines_(model: nn.Module) -> nn.Module:
    """In place, after ``fold_``; returns ``model``. The eval function stays the same.

    For export only: the result is in none of the forms of :mod:`ocrtune.models.fold`, so no checkpoint reloads into it.
    A component takes part by ``absorb_affines_()``.
    """
    for module in list(model.modules()):
        if absorb := getattr(module, "absorb_affines_", None):
            absorb()
    return model
