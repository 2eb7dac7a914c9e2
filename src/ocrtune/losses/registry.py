"""The registry behind ``Loss.name``."""

from __future__ import annotations

from torch import nn

from ocrtune.core.registry import Registry

losses: Registry[nn.Module] = Registry("loss", "ocrtune.losses")
