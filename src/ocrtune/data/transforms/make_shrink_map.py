"""MakeShrinkMap: DB's shrunk text regions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ocrtune.data.db_maps import MapSettings, maps_of, shrink_ratio_at
from ocrtune.data.item import Context, Item
from ocrtune.data.transforms import transforms


@dataclass(frozen=True)
class MakeShrinkMapOptions:
    """shrink_ratio, min_text_size: see ``codec.db.encode_maps``.

    dynamic_shrink: let the ratio grow by 0.2 over ``total_epoch`` epochs (PP-OCRv4's report). Off by default: although
    v4 to v6 configs give ``total_epoch``, PaddleOCR's code of 79f652f5 never passes the epoch on and its later code
    misses v6's transforms, so the released weights were trained at a constant ratio.
    """

    shrink_ratio: float = 0.4
    min_text_size: int = 8
    total_epoch: int | None = None
    dynamic_shrink: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.shrink_ratio < 1:
            raise ValueError("shrink_ratio must be between 0 and 1")


@transforms.register("MakeShrinkMap", MakeShrinkMapOptions)
class MakeShrinkMap:
    """Targets ``shrink_map`` and ``shrink_mask``, (H, W) uint8."""

    def __init__(self, options: MakeShrinkMapOptions, context: Context):
        self.options = options

    def __call__(self, item: Item, rng: np.random.Generator) -> None:
        options = self.options
        ratio = shrink_ratio_at(item.epoch, options.shrink_ratio, options.total_epoch, options.dynamic_shrink)
        maps = maps_of(item, MapSettings(ratio, min_text_size=options.min_text_size))
        item.targets["shrink_map"] = maps.shrink_map
        item.targets["shrink_mask"] = maps.shrink_mask
