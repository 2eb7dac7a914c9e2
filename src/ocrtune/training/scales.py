"""The size at which a detector sees its pages: larger finds smaller text and takes longer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

from ocrtune.config.component import Component
from ocrtune.config.schema import RunConfig
from ocrtune.core.errors import ConfigError, Problem
from ocrtune.data.transforms.det_resize_for_test import DetResizeForTestOptions


def resize_of(config: RunConfig) -> DetResizeForTestOptions:
    """How evaluation, export and prediction resize pages. ConfigError where the Eval section does not say it."""
    for component in config.eval.dataset.transforms:
        if isinstance(component.options, DetResizeForTestOptions):
            return component.options
    raise ConfigError(Problem("Eval.dataset.transforms", "there is no DetResizeForTest", "add one"))


def with_resize(config: RunConfig, resize: DetResizeForTestOptions) -> RunConfig:
    """``config`` with other options for its DetResizeForTest."""
    transforms = tuple(
        Component(old.name, resize, asdict(resize)) if isinstance(old.options, DetResizeForTestOptions) else old
        for old in config.eval.dataset.transforms
    )
    return replace(config, eval=replace(config.eval, dataset=replace(config.eval.dataset, transforms=transforms)))


def resizes(start: DetResizeForTestOptions, sides: Sequence[int]) -> list[DetResizeForTestOptions]:
    """``start``, then the same limit with each of ``sides`` (pixels) instead, none twice.

    A fixed ``image_shape`` becomes a limit of the longer side.
    """
    found = [start]
    for side in sides:
        if start.resize_long is not None:
            other = replace(start, resize_long=side)
        elif start.image_shape is not None:
            other = DetResizeForTestOptions(limit_side_len=side, limit_type="max")
        else:
            other = replace(start, limit_side_len=side)
        if other not in found:
            found.append(other)
    return found


def resize_text(resize: DetResizeForTestOptions) -> str:
    """In a word or two, as in ``1280 max``."""
    if resize.image_shape is not None:
        return "x".join(map(str, resize.image_shape))
    if resize.resize_long is not None:
        return f"{resize.resize_long} long"
    return f"{resize.limit_side_len or 736} {resize.limit_type}"
