"""Loops of ours over feature maps on a CPU: compiled by numba, shared out between PyTorch's number of threads."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ocrtune.training.elements import Elements, teach_numba

Maps = Elements  # (N, H, W, C)
Rows = Elements  # (N H W, C)
Sums = NDArray[np.float64]
_AT_ONCE = 32  # numbers of a row that compiled loops take at once with AVX2; the rest of the row goes one by one


def is_plain_float(x: Tensor) -> bool:
    """Whether ``x`` is computed with on a CPU, in float32."""
    return x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")


def computed(x: Tensor) -> Tensor | None:
    """``x`` in the type that a convolution computes in here; None where loops of ours cannot: not on a CPU, float16."""
    if x.device.type != "cpu":
        return None
    if torch.is_autocast_enabled("cpu"):
        dtype = torch.get_autocast_dtype("cpu")
        return x.to(dtype) if dtype == torch.bfloat16 else None
    return x if x.dtype == torch.float32 else None


def is_readable(x: Tensor) -> bool:
    """Whether compiled loops read and write tensors like ``x``: on a CPU, float32 or bfloat16."""
    return x.device.type == "cpu" and x.dtype in (torch.float32, torch.bfloat16)


def elements_of(x: Tensor) -> Elements:
    """A view of the memory of ``x``, which no gradient follows."""
    found: Elements = (x.detach() if x.dtype == torch.float32 else x.detach().view(torch.uint16)).numpy()
    return found


def maps_of(x: Tensor) -> Maps:
    """(N, C, H, W) -> (N, H, W, C); a view in channels_last."""
    return elements_of(x.detach().contiguous(memory_format=torch.channels_last).permute(0, 2, 3, 1))


def rows_of(x: Tensor) -> Rows:
    """(N, C, H, W) -> (N H W, C); a view in channels_last."""
    rows: Rows = maps_of(x).reshape(-1, x.shape[1])
    return rows


def wide(rows: Rows) -> Rows:
    """(R, C) -> (R / k, k C): rows of k pixels, so that loops along them leave no rest; as it is where R forbids."""
    times = _AT_ONCE // math.gcd(rows.shape[1], _AT_ONCE)
    return rows if len(rows) % times else rows.reshape(-1, times * rows.shape[1])


def empty_rows_like(x: Tensor) -> tuple[Tensor, Rows]:
    """A map of the shape and type of ``x`` in channels_last, and its rows."""
    return empty_rows(x.shape, x.dtype)


def empty_rows(shape: Sequence[int], dtype: torch.dtype) -> tuple[Tensor, Rows]:
    """A map of ``shape`` (N, C, H, W) in channels_last, and its rows."""
    samples, channels, height, width = shape
    rows = torch.empty(samples * height * width, channels, dtype=dtype)
    return rows.view(samples, height, width, channels).permute(0, 3, 1, 2), elements_of(rows)


@lru_cache(maxsize=1)
def can_compile() -> bool:
    """Whether numba (the ``train`` extra) is there."""
    try:
        import numba  # noqa: F401  # only tried
    except ImportError:
        return False
    return True


@lru_cache(maxsize=16)
def compiled(function: Callable[..., None]) -> Callable[..., None]:
    """``function`` as machine code that holds no lock while it runs; numba must be there."""
    import numba

    teach_numba()
    njit = partial(numba.njit, nogil=True, fastmath={"contract"}, error_model="numpy")
    fast: Callable[..., None]
    try:
        fast = njit(cache=True)(function)
    except RuntimeError:  # neither the package's folder nor the user's cache folder can be written
        fast = njit()(function)
    return fast


def shares(count: int) -> list[tuple[int, int]]:
    """``count`` things shared out between the threads: the first and the end of each share."""
    pieces = max(1, min(count, torch.get_num_threads()))
    return [(i * count // pieces, (i + 1) * count // pieces) for i in range(pieces)]


def together(function: Callable[..., None], jobs: Sequence[tuple[Any, ...]]) -> None:
    """Call ``function``, which holds no lock, with the arguments of each job, in as many threads as there are jobs."""
    others = [_pool(os.getpid(), len(jobs)).submit(function, *job) for job in jobs[1:]]
    function(*jobs[0])
    for other in others:
        other.result()


@lru_cache(maxsize=2)
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """The threads of ``process``: those of its parent are not there after a fork."""
    return ThreadPoolExecutor(threads, thread_name_prefix="compiled")
