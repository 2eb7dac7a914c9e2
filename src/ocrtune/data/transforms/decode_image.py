"""DecodeImage: file to pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ocrtune.data.image_file import read_image
from ocrtune.data.item import Context, Item
from ocrtune.data.transforms import transforms


@dataclass(frozen=True)
class DecodeImageOptions:
    """img_mode: channel order of the result; the released weights expect BGR. channel_first: only False exists here.
    ignore_orientation: do not turn the image as its EXIF data says."""

    img_mode: Literal["BGR", "RGB"] = "BGR"
    channel_first: Literal[False] = False
    ignore_orientation: bool = False


@transforms.register("DecodeImage", DecodeImageOptions)
class DecodeImage:
    """Read the sample's image; of several images with one label, one is drawn. DataError when it is unreadable."""

    def __init__(self, options: DecodeImageOptions, context: Context):
        self.options = options

    def __call__(self, item: Item, rng: np.random.Generator) -> None:
        path, others = item.sample.image_path, item.sample.alternatives
        if others:
            path = (path, *others)[int(rng.integers(len(others) + 1))]
        image = read_image(path, item.sample.source, self.options.ignore_orientation)
        item.image = image if self.options.img_mode == "BGR" else np.ascontiguousarray(image[:, :, ::-1])
