"""Samples to items: what happens in a worker process to one sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch.utils.data import Dataset

from ocrtune.codec.image import DetPreprocess, RecPreprocess, Scale
from ocrtune.core.errors import DataError, Problem
from ocrtune.core.records import Sample
from ocrtune.data.image_file import read_image
from ocrtune.data.item import Frame, Item, Tensor, Transform
from ocrtune.data.kept_images import KeptImages
from ocrtune.data.transforms.rec_resize_img import fit


@dataclass(frozen=True)
class Draw:
    """One place in an epoch. index: of the sample; serial: of the place; frame: see Item."""

    index: int
    serial: int
    epoch: int = 0
    frame: Frame | None = None


class TrainingDataset(Dataset["Item | DataError"]):
    """Decode, augment, encode.

    The randomness of an item depends on (seed, epoch, serial) alone, so that it is the same for any number of workers.
    A sample that fails is returned as its DataError, which the loader raises in the training process: no other
    sample takes its place.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        transforms: Sequence[Transform],
        first: int,
        seed: int,
        kept: KeptImages | None = None,
    ):
        """first: how many of the transforms prepare an item that CopyPaste or RecConAug asks for."""
        self.samples = samples
        self.transforms = tuple(transforms)
        self.first = first
        self.seed = seed
        self.kept = kept

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, draw: Draw) -> Item | DataError:
        rng = np.random.default_rng([self.seed, draw.epoch, draw.serial])
        try:
            item = self._item(draw.index, draw.epoch)
            item.frame = draw.frame
            for transform in self.transforms:
                transform(item, rng)
            if item.tensor is None:
                _last_step(item)
        except DataError as error:
            return error
        item.canvas, item.draw, item.maps, item.kept = None, None, None, None
        return item

    def _item(self, index: int, epoch: int) -> Item:
        sample = self.samples[index]
        return Item(sample, text=sample.text or "", epoch=epoch, draw=self._other, kept=self.kept)

    def _other(self, rng: np.random.Generator) -> Item:
        item = self._item(int(rng.integers(len(self.samples))), 0)
        item.draw = None
        for transform in self.transforms[: self.first]:
            transform(item, rng)
        return item


class EvaluationDataset(Dataset["Evaluated | DataError"]):
    """Decode and preprocess; no labels, no randomness."""

    def __init__(self, samples: Sequence[Sample], preprocess: DetPreprocess | RecPreprocess):
        self.samples = samples
        self.preprocess = preprocess

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, draw: Draw) -> Evaluated | DataError:
        sample = self.samples[draw.index]
        try:
            image = read_image(sample.image_path, sample.source)
            if isinstance(self.preprocess, DetPreprocess):
                tensor, scale = self.preprocess(image)
                return Evaluated(sample, tensor, scale)
            return Evaluated(sample, self.preprocess(image))
        except DataError as error:
            return error


@dataclass(frozen=True)
class Evaluated:
    """A sample ready for the network. tensor: (3, H, W) float32. scale: detection only, the way back to the page."""

    sample: Sample
    tensor: Tensor
    scale: Scale | None = None


def _last_step(item: Item) -> None:
    """MultiScaleDataSet's lists end without RecResizeImg: the sampler decides the size."""
    if item.frame is None:
        what = "the transforms end without making a tensor"
        raise DataError(Problem("Train.dataset.transforms", what, "add RecResizeImg or NormalizeImage and ToCHWImage"))
    fit(item, item.frame)
