"""A named part of the configuration: backbone, neck, head, loss, transform, post-processing or metric."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ocrtune.core.options import Findings


def spelled(key: str, default: Any = dataclasses.MISSING) -> Any:
    """A dataclass field whose YAML spelling ``key`` differs from its Python name."""
    metadata = {"key": key}
    return field(metadata=metadata) if default is dataclasses.MISSING else field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Component:
    """A part that the YAML names.

    options: the dataclass that the registry holds for ``name``; a plain dict where no registry was given.
    raw: the options as the YAML spelled them, for saving options whose YAML form is not their fields.
    """

    name: str
    options: Any
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def parse(cls, raw: Any, where: str, findings: Findings) -> Component | None:
        """Pass on what ``registries.py`` built; otherwise read ``{name: X, ...}`` without types."""
        if isinstance(raw, Component):
            return raw
        if not isinstance(raw, Mapping) or not isinstance(raw.get("name"), str):
            findings.problem(where, "expected keys and values with a 'name'")
            return None
        options = {key: value for key, value in raw.items() if key != "name"}
        return cls(raw["name"], options, options)
