"""Metrics that the ``Metric`` section of a config names."""

from __future__ import annotations

from typing import Any

from ocrtune.core.registry import Registry

metrics: Registry[Any] = Registry("metric", "ocrtune.metrics")
