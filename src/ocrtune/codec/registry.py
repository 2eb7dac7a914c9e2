"""Decoders that the ``PostProcess`` section of a config names."""

from __future__ import annotations

from typing import Any

from ocrtune.core.registry import Registry

postprocessors: Registry[Any] = Registry("post-process", "ocrtune.codec")
