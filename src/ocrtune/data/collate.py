"""Items to a Batch of torch tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch

from ocrtune.core.errors import DataError
from ocrtune.core.records import Batch
from ocrtune.data.dataset import Evaluated
from ocrtune.data.item import Item, Tensor


@dataclass(frozen=True)
class CollateTraining:
    """Stack images and targets. Images of unequal width are padded on the right with 0 to the widest, rounded up to
    ``width_step`` pixels. The first DataError among the items is passed on instead of a batch."""

    width_step: int = 1

    def __call__(self, items: Sequence[Item | DataError]) -> Batch | DataError:
        for item in items:
            if isinstance(item, DataError):
                return item
        good = cast("Sequence[Item]", items)
        tensors = [item.tensor for item in good if item.tensor is not None]
        targets = {name: _stack([item.targets[name] for item in good]) for name in good[0].targets}
        return Batch(_stack_padded(tensors, self.width_step), targets, tuple(item.sample for item in good))


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
