"""MakeBorderMap: DB's threshold map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ocrtune.data.db_maps import MapSettings, maps_of, shrink_ratio_at
from ocrtune.data.item import Context, Item
from ocrtune.data.transforms import transforms


@dataclass(frozen=True)
class MakeBorderMapOptions:
    """shrink_ratio, thresh_min, thresh_max: see ``codec.db.encode_maps``.

    total_epoch, dynamic_shrink: see MakeShrinkMap; set both alike.
    """

    shrink_ratio: float = 0.4
    thresh_min: float = 0.3
    thresh_max: float = 0.7
    total_epoch: int | None = None
    dynamic_shrink: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.shrink_ratio < 1:
            raise ValueError("shrink_ratio must be between 0 and 1")


@transforms.register("MakeBorderMap", MakeBorderMapOptions)
class MakeBorderMap:
    """Targets ``threshold_map``, (H, W) float32, and ``threshold_mask``, (H, W) uint8."""

    def __init__(self, options: MakeBorderMapOptions, context: Context):
        self.options = options

    def __call__(self, item: Item, rng: np.random.Generator) -> None:
        options = self.options
        ratio = shrink_ratio_at(item.epoch, options.shrink_ratio, options.total_epoch, options.dynamic_shrink)
        maps = maps_of(item, MapSettings(ratio, thresholds=(options.thresh_min, options.thresh_max)))
        item.targets["threshold_map"] = maps.threshold_map
        item.targets["threshold_mask"] = maps.threshold_mask
