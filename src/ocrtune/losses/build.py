"""From a config's ``Loss`` section to a module."""

from __future__ import annotations

from torch import nn

from ocrtune.config.component import Component
from ocrtune.losses.registry import losses


def build_loss(component: Component) -> nn.Module:
    """The loss called ``component.name``; ConfigError when no loss has that name.

    The result is called with the model's outputs and the batch's targets, both by name, and returns a dict whose
    ``"loss"`` is the scalar to differentiate; the other entries are detached parts for the log.
    """
    return losses.get(component.name, "Loss.name").factory(component.options)
