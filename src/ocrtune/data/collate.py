"""Items to a Batch of torch tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch

from ocrtune.core.errors import DataError
from ocrtune.core.records import Batch
from ocrtune.data.dataset import Evaluated
from ocrtune.data.item import Item, Tensor

_STRIDE = 32  # sides that detection networks accept are multiples of it


@dataclass(frozen=True)
class CollateTraining:
    """Stack images and targets. Images of unequal width are padded on the right with 0 to the widest, rounded up to
    ``width_step`` pixels, and ``valid_ratio`` becomes a share of that width; black padding that all detection crops of
    the batch share is cut off (:func:`_shown`). The first DataError among the items is passed on instead of a batch.
    Without items the batch is empty: other processes have them all."""

    width_step: int = 1

    def __call__(self, items: Sequence[Item | DataError]) -> Batch | DataError:
        for item in items:
            if isinstance(item, DataError):
                return item
        good = cast("Sequence[Item]", items)
        if not good:
            return Batch(torch.zeros(0, 3, 1, 1), {}, ())
        tensors = [item.tensor for item in good if item.tensor is not None]
        targets = {name: [item.targets[name] for item in good] for name in good[0].targets}
        if (shown := _shown(good)) is not None:
            height, width = shown
            tensors = [tensor[:, :height, :width] for tensor in tensors]
            targets = {name: [target[:height, :width] for target in parts] for name, parts in targets.items()}
        stacked = {name: _stack(parts) for name, parts in targets.items()}
        image = _stack_padded(tensors, self.width_step)
        if "valid_ratio" in stacked:
            stacked["valid_ratio"] *= torch.tensor([tensor.shape[2] / image.shape[3] for tensor in tensors])
        return Batch(image, stacked, tuple(item.sample for item in good))


@dataclass(frozen=True)
class CollateEvaluation:
    """Stack images of equal size; ``meta`` holds the scale of each page."""

    def __call__(self, items: Sequence[Evaluated | DataError]) -> Batch | DataError:
        for item in items:
            if isinstance(item, DataError):
                return item
        good = cast("Sequence[Evaluated]", items)
        scales = tuple(item.scale for item in good if item.scale is not None)
        return Batch(_stack([item.tensor for item in good]), {}, tuple(item.sample for item in good), scales)


def _shown(items: Sequence[Item]) -> tuple[int, int] | None:
    """(height, width), multiples of 32, of the part of the tensors that any item uses; None where unknown."""
    used = [item.used for item in items if item.used is not None]
    if len(used) < len(items):
        return None
    width, height = (-(-max(sizes) // _STRIDE) * _STRIDE for sizes in zip(*used))
    return height, width


@dataclass(frozen=True)
class AsArrays:
    """Another collation, its tensors handed on as arrays: these go through a pipe and need no shared memory."""

    collate: CollateTraining | CollateEvaluation

    def __call__(self, items: Sequence[Any]) -> Batch | DataError:
        batch = self.collate(items)
        if isinstance(batch, Batch):
            batch.image = batch.image.numpy()
            batch.targets = {name: target.numpy() for name, target in batch.targets.items()}
        return batch


def as_tensors(batch: Batch) -> Batch:
    """The same batch with tensors; nothing to do where they are tensors already."""
    if isinstance(batch.image, np.ndarray):
        batch.image = torch.from_numpy(batch.image)
        batch.targets = {name: torch.from_numpy(target) for name, target in batch.targets.items()}
    return batch


def _stack(arrays: Sequence[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.stack(arrays))


def _stack_padded(tensors: Sequence[Tensor], width_step: int) -> torch.Tensor:
    widest = max(tensor.shape[2] for tensor in tensors)
    width = -(-widest // width_step) * width_step
    if all(tensor.shape[2] == width for tensor in tensors):
        return _stack(tensors)
    batch = np.zeros((len(tensors), *tensors[0].shape[:2], width), np.float32)
    for row, tensor in zip(batch, tensors):
        row[:, :, : tensor.shape[2]] = tensor
    return torch.from_numpy(batch)
