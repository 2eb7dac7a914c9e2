"""Decoded images that stay in memory, for all worker processes of a loader together."""

from __future__ import annotations

import mmap
import multiprocessing
import os
from collections.abc import Iterable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ocrtune.core.free_memory import free_memory
from ocrtune.core.records import Image, ImageFile

REDUCTIONS = (1, 2, 4, 8)
_GIB = 2**30
_SHARE = 4  # auto: this part of the free memory, at most
_LEAST_FREE = 2**30  # bytes: with less memory free, no more images are kept
_BEING_WRITTEN = -1


class KeptImages:
    """Images as they were decoded, each by the factor that it was reduced by, until the room is full.

    An image is kept when it is first decoded and none is ever dropped, so what is read is the same with and without.
    Processes that are forked share the memory; one that is started otherwise (``spawn``) finds and keeps nothing.
    """

    def __init__(self, images: Iterable[ImageFile], room: int):
        """images: those that may be kept. room: bytes for their pixels; memory is taken only as it fills."""
        self._slots = {image: i for i, image in enumerate(dict.fromkeys(images))}
        self._room = _shared(room)  # at least a byte long
        count = len(self._slots)
        self._used = _table(1, 1)
        self._starts = _table(count, len(REDUCTIONS))  # 1 + first byte of each reduction; 0 without
        self._sizes = _table(count, 2)  # (width, height) of the whole image
        self._jpeg = _table(count, 1)
        self._lock = multiprocessing.Lock()

    def __reduce__(self) -> tuple[type[KeptImages], tuple[tuple[()], int]]:
        return KeptImages, ((), 0)

    @property
    def room(self) -> int:
        """Bytes for pixels, used and free."""
        return len(self._room)

    def about(self, image: ImageFile) -> tuple[tuple[int, int], bool] | None:
        """((width, height), is a JPEG) of an image of which something is kept."""
        slot = self._slots.get(image)
        if slot is None:
            return None
        with self._lock:
            width, height = self._sizes[slot].tolist()
            return ((width, height), bool(self._jpeg[slot, 0])) if width else None

    def find(self, image: ImageFile, factor: int) -> Image | None:
        """The pixels (H, W, 3) of ``image`` reduced by ``factor``, read-only, when they are kept."""
        slot = self._slots.get(image)
        if slot is None:
            return None
        with self._lock:
            start = int(self._starts[slot, REDUCTIONS.index(factor)])
        if start <= 0:
            return None
        width, height = (-(-int(side) // factor) for side in self._sizes[slot])
        pixels = np.frombuffer(self._room, np.uint8, height * width * 3, start - 1).reshape(height, width, 3)
        pixels.flags.writeable = False
        return pixels

    def keep(self, image: ImageFile, factor: int, pixels: Image, size: tuple[int, int], is_jpeg: bool) -> None:
        """Keep ``pixels`` as what :meth:`find` gives, where there is room. size: (width, height) of the whole image."""
        slot = self._slots.get(image)
        if slot is None or self._used[0, 0] + pixels.size > len(self._room) or _is_short():
            return
        level = REDUCTIONS.index(factor)
        with self._lock:
            start = int(self._used[0, 0])
            if self._starts[slot, level] or start + pixels.size > len(self._room):
                return
            self._starts[slot, level] = _BEING_WRITTEN
            self._used[0, 0] = start + pixels.size
        np.frombuffer(self._room, np.uint8, pixels.size, start)[:] = pixels.reshape(-1)
        with self._lock:
            self._jpeg[slot, 0] = is_jpeg
            self._sizes[slot] = size
            self._starts[slot, level] = start + 1


def room_for(setting: float | Literal["auto"]) -> int:
    """Bytes for kept images. setting: GiB, or auto for a quarter of the free memory, shared by the machine's runs."""
    if setting != "auto":
        return int(setting * _GIB)
    return (free_memory() or 0) // _SHARE // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def _is_short() -> bool:
    free = free_memory()
    return free is not None and free < _LEAST_FREE


def _table(rows: int, columns: int) -> NDArray[np.int64]:
    return np.frombuffer(_shared(rows * columns * 8), np.int64, rows * columns).reshape(rows, columns)


def _shared(size: int) -> mmap.mmap:
    """Zeroed memory that forked processes share; as good as none where the system refuses that much."""
    try:
        return mmap.mmap(-1, max(size, 1))
    except OSError:
        return mmap.mmap(-1, 1)
