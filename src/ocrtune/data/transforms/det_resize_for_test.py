"""DetResizeForTest: the size at which pages are evaluated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ocrtune.codec.image import DetPreprocess
from ocrtune.data.item import Context, Item
from ocrtune.data.transforms import transforms


@dataclass(frozen=True)
class DetResizeForTestOptions:
    """Pixels; see ``codec.image.DetPreprocess``. Without any option: at least 736 on the shorter side."""

    image_shape: tuple[int, int] | None = None
    keep_ratio: bool = False
    limit_side_len: int | None = None
    limit_type: Literal["max", "min", "resize_long"] = "min"
    resize_long: int | None = None

    def __post_init__(self) -> None:
        given = [name for name in ("image_shape", "limit_side_len", "resize_long") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} exclude each other")

    def preprocess(
        self, mean: tuple[float, float, float], std: tuple[float, float, float], scale: float
    ) -> DetPreprocess:
        """The whole way from an image to a tensor, with the normalisation of a NormalizeImage."""
        return DetPreprocess(
            limit_side_len=self.limit_side_len or 736,
            limit_type=self.limit_type,
            image_shape=self.image_shape,
            keep_ratio=self.keep_ratio,
            resize_long=self.resize_long,
            mean=mean,
            std=std,
            scale=scale,
        )


@transforms.register("DetResizeForTest", DetResizeForTestOptions)
class DetResizeForTest:
    """Resize pixels and polygons. Evaluation does not run this: it is compiled into a ``DetPreprocess``."""

    def __init__(self, options: DetResizeForTestOptions, context: Context):
        self._size = options.preprocess((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), 1.0).size

    def __call__(self, item: Item, rng: np.random.Generator) -> None:
        assert item.canvas is not None, "DecodeImage comes first"
        width, height = item.canvas.size
        new_height, new_width = self._size(height, width)
        matrix = np.diag([new_width / width, new_height / height, 1.0])
        item.move(matrix, (new_width, new_height), scale=new_height / height)
