"""DecodeImage: file to pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from ocrtune.core.records import Image
from ocrtune.data.canvas import Canvas
from ocrtune.data.image_file import ImageSource
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
    """Take the sample's image; of several images with one label, one is drawn.

    It is read when its size or its pixels are needed, which may raise DataError.
    """

    def __init__(self, options: DecodeImageOptions, context: Context):
        self.options = options

    def __call__(self, item: Item, rng: np.random.Generator) -> None:
        path, others = item.sample.image_path, item.sample.alternatives
        if others:
            path = (path, *others)[int(rng.integers(len(others) + 1))]
        item.canvas = Canvas(ImageSource(path, item.sample.source, self.options.ignore_orientation, item.kept))
        if self.options.img_mode == "RGB":
            item.canvas.recolour(lambda sketch: swap_channels)


def swap_channels(image: Image) -> Image:
    """BGR to RGB."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
