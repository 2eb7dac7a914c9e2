"""What training and evaluation ask of a loader, and moving a batch to the device."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor

from ocrtune.core.records import Batch


class BatchSource(Protocol):
    """``ocrtune.data.loader.Loader``, or anything like it."""

    def __len__(self) -> int:
        """Batches that one pass yields."""
        ...

    def __iter__(self) -> Iterator[Batch]: ...

    def set_epoch(self, epoch: int) -> None:
        """Draw and augment the next pass as epoch number ``epoch``."""
        ...


def images_on(batch: Batch, device: torch.device) -> Tensor:
    """(N, 3, H, W) float32 on the device, channels last."""
    image: Tensor = batch.image
    return image.to(device, non_blocking=True).contiguous(memory_format=torch.channels_last)


def targets_on(batch: Batch, device: torch.device) -> dict[str, Tensor]:
    """The targets on the device."""
    return {name: value.to(device, non_blocking=True) for name, value in batch.targets.items()}


def pieces_of(batch: Batch, count: int) -> list[Batch]:
    """``batch`` cut into at most ``count`` batches of equal size, of which the last may be smaller."""
    size = -(-len(batch) // count)
    if size >= len(batch):
        return [batch]
    parts = [slice(start, start + size) for start in range(0, len(batch), size)]
    return [
        Batch(
            batch.image[part],
            {name: value[part] for name, value in batch.targets.items()},
            batch.samples[part],
            batch.meta[part],
        )
        for part in parts
    ]
