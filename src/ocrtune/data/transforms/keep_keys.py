"""KeepKeys: PaddleOCR's list of what the loader returns; here the batch is a named record."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ocrtune.core.errors import did_you_mean
from ocrtune.data.item import Context, Item
from ocrtune.data.transforms import transforms

_DETECTION = ("threshold_map", "threshold_mask", "shrink_map", "shrink_mask", "shape", "polys", "ignore_tags")
_RECOGNITION = ("label", "label_ctc", "label_gtc", "label_sar", "label_ace", "length", "valid_ratio")
KNOWN_KEYS = frozenset(("image", *_DETECTION, *_RECOGNITION))


@dataclass(frozen=True)
class KeepKeysOptions:
    """keep_keys: names that PaddleOCR's loader would return, in order."""

    keep_keys: tuple[str, ...]

    def __post_init__(self) -> None:
        for key in self.keep_keys:
            if key not in KNOWN_KEYS:
                raise ValueError(f"keep_keys holds the unknown key '{key}'; {did_you_mean(key, KNOWN_KEYS)}")


@transforms.register("KeepKeys", KeepKeysOptions)
class KeepKeys:
    """Accepted and checked; every target that the transforms made is in ``Batch.targets`` by name."""

    def __init__(self, options: KeepKeysOptions, context: Context):
        pass

    def __call__(self, item: Item, rng: np.random.Generator) -> None:
        return
