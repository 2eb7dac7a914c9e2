"""Settings of the C library's allocator, where that is glibc."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4  # malloc.h of glibc
LARGEST_THRESHOLD = 32 * 2**20  # bytes: the largest that glibc takes for M_MMAP_THRESHOLD
_KEPT = 256 * 2**20


def glibc() -> ctypes.CDLL | None:
    """The C library if it is glibc; None for others (macOS, musl), and where there is no way to ask (Windows)."""
    try:
        library = ctypes.CDLL(None)
    except (OSError, TypeError):
        return None
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None


def set_options(library: ctypes.CDLL, options: Mapping[int, int]) -> bool:
    """Whether glibc took all of ``options``, numbers of ``malloc.h`` with their values."""
    mallopt: Callable[[int, int], int] = library.mallopt
    done = [mallopt(name, value) == 1 for name, value in options.items()]
    return all(done)


def keep_some_memory() -> None:
    """Have this process keep up to 256 MiB of freed memory; does nothing without glibc.

    By default glibc gives large blocks back at once, and the next image has its pages zeroed anew by the system: a
    fifth of the time that preparing a page of 960 x 960 took.
    """
    if (library := glibc()) is not None:
        set_options(library, {M_MMAP_THRESHOLD: LARGEST_THRESHOLD, M_TRIM_THRESHOLD: _KEPT})
