"""ToCHWImage: channels first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ocrtune.data.item import Context, Item
from ocrtune.data.transforms import transforms


@dataclass(frozen=True)
class ToCHWImageOptions:
    """No options."""


@transforms.register("ToCHWImage", ToCHWImageOptions)
class ToCHWImage:
    """(H, W, 3) to a contiguous (3, H, W)."""

    def __init__(self, options: ToCHWImageOptions, context: Context):
        pass

    def __call__(self, item: Item, rng: np.random.Generator) -> None:
        assert item.tensor is not None, "NormalizeImage comes before ToCHWImage"
        item.tensor = np.ascontiguousarray(item.tensor.transpose(2, 0, 1))
