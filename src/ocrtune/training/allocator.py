"""How the C library gives memory back. Steps allocate and free the same large blocks again and again."""

from __future__ import annotations

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # malloc.h of glibc
_MOST = 2**31 - 1  # the largest int


def keep_freed_memory() -> bool:
    """Have freed blocks kept for the next step instead of given back to the system; whether the C library can.

    By default glibc maps every large block and unmaps it when it is freed, so that each step has its pages zeroed anew:
    6 to 12 % of a training step on a CPU. The process then never shrinks below what it needed most.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # no such library, not in it (macOS, musl), no way to ask (Windows)
        return False
    return bool(mallopt(_M_MMAP_MAX, 0)) and bool(mallopt(_M_TRIM_THRESHOLD, _MOST))
