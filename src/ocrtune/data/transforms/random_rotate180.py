"""RandomRotate180: turn a text crop upside down, now and then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ocrtune.codec.crop import rotate180
from ocrtune.core.errors import ConfigError, Problem
from ocrtune.data.item import Context, Item
from ocrtune.data.transforms import transforms


@dataclass(frozen=True)
class RandomRotate180Options:
    """prob: how often, 0..1; "auto": a training run looks at the lines and decides between auto_prob and 0, see
    ``ocrtune.training.upside_down``."""

    prob: float | Literal["auto"] = 0.3
    auto_prob: float = 0.3

    def __post_init__(self) -> None:
        if self.prob != "auto" and not 0 <= self.prob <= 1:
            raise ValueError("expected 0 <= prob <= 1, or auto")
        if not 0 < self.auto_prob <= 1:
            raise ValueError("expected 0 < auto_prob <= 1")


@transforms.register("RandomRotate180", RandomRotate180Options)
class RandomRotate180:
    """(extension) Teaches a recogniser to read lines that are upside down; the label stays as it is."""

    def __init__(self, options: RandomRotate180Options, context: Context):
        if options.prob == "auto":
            raise ConfigError(Problem("RandomRotate180.prob", "only a training run decides 'auto'", "give a number"))
        self.prob = options.prob

    def __call__(self, item: Item, rng: np.random.Generator) -> None:
        if rng.random() < self.prob:
            item.image = rotate180(item.image)
