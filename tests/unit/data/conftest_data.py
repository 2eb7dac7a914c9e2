"""Building blocks of the data tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from ocrtune.config.component import Component
from ocrtune.config.data_schema import DataOptions
from ocrtune.core.options import Findings
from ocrtune.core.records import Image
from ocrtune.data.transforms import transforms

WORDS = ("A1", "B22", "C333", "D4", "E5E5", "F6")


def page(seed: int, width: int = 200, height: int = 120) -> Image:
    """Noise, so that no two pages or places are alike."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def components(*steps: tuple[str, dict[str, object]]) -> list[Component]:
    """Transforms with their options read as from YAML."""
    findings = Findings()
    result = [Component(name, transforms.parse(name, raw, name, findings), raw) for name, raw in steps]
    assert not findings.problems, findings.problems
    return result


def section(raw: dict[str, Any], steps: list[Component]) -> DataOptions:
    """A Train or Eval section."""
    findings = Findings()
    dataset = {**raw.pop("dataset"), "transforms": steps}
    options = DataOptions.parse({**raw, "dataset": dataset}, "Train", findings)
    assert options is not None, findings.problems
    return options
