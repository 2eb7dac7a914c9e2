"""A config's list of transforms, built."""

from __future__ import annotations

from collections.abc import Sequence

from ocrtune.config.component import Component
from ocrtune.data.item import Context, Transform
from ocrtune.data.transforms import transforms


def build_transforms(components: Sequence[Component], context: Context) -> tuple[Transform, ...]:
    """In order; ConfigError for an unknown name."""
    return tuple(transforms.get(component.name).factory(component.options, context) for component in components)


def drops_out_of_dictionary(components: Sequence[Component]) -> bool:
    """Whether the label encoder of the list is set to leave unknown characters out; see CTCLabelEncode."""
    return any(getattr(component.options, "drop_out_of_dictionary", False) for component in components)
