"""DetLabelEncode: label to polygons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ocrtune.data.item import Context, Item
from ocrtune.data.transforms import transforms


@dataclass(frozen=True)
class DetLabelEncodeOptions:
    """No options."""


@transforms.register("DetLabelEncode", DetLabelEncodeOptions)
class DetLabelEncode:
    """Copy the label's polygons, texts and ignore marks onto the item; a blank page has none."""

    def __init__(self, options: DetLabelEncodeOptions, context: Context):
        pass

    def __call__(self, item: Item, rng: np.random.Generator) -> None:
        instances = item.sample.instances
        item.polygons = [instance.polygon.copy() for instance in instances]
        item.texts = [instance.text for instance in instances]
        item.ignore = np.array([instance.ignore for instance in instances], bool)
