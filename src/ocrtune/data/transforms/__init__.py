"""The steps that a config's ``transforms`` lists name: one file each, ``factory(options, context) -> Transform``."""

from __future__ import annotations

from ocrtune.core.registry import Registry
from ocrtune.data.item import Transform

transforms: Registry[Transform] = Registry("transform", "ocrtune.data.transforms")
