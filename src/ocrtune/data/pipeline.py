"""A config's list of transforms, built."""

from __future__ import annotations

from collections.abc import Sequence

from ocrtune.config.component import Component
from ocrtune.data.item import Context, Transform
from ocrtune.data.transforms import transforms


def build_transforms(components: Sequence[Component], context: Context) -> tuple[Transform, ...]:
    """In order; ConfigError for an unknown name."""
    return tuple(transforms.get(component.name).factory(component.options, context) for component in components)
