"""How memory comes and goes. Steps allocate and free the same large blocks again and again."""

from __future__ import annotations

import os
from pathlib import Path

from ocrtune.core.free_memory import free_memory
from ocrtune.core.malloc import LARGEST_THRESHOLD, M_MMAP_MAX, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, glibc, set_options

_MOST = 2**31 - 1  # the largest int
_MAPPED_AT_MOST = 65536  # blocks: what glibc starts with
_TRIM = 64 * 2**20
_FRAGMENTED = 1.5  # times what steps need, that a process holds which gives nothing back (1.2 and 1.5 were measured)
_SHARE = 0.8  # of the free memory, that may be used for it
_SHORT = 1 / 8  # of what the process holds: with less memory free, it gives back again


def use_large_pages() -> None:
    """Have PyTorch ask Linux for pages of 2 MiB instead of 4 KiB; before the first tensor, and unless the user chose.

    Pages are zeroed before they are given: a step of batch 128 with two networks (17 GB) took 27 s with large pages and
    40 s without.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # c10/core/impl/alloc_cpu.cpp


class FreedMemory:
    """Has freed blocks kept for the next step instead of given back to the system, while there is room for it.

    By default glibc maps every large block and unmaps it when it is freed, so that each step has its pages zeroed anew.
    A process that keeps them never shrinks, and holds more than it needs: free
    memory lies in pieces. So the first step decides, and memory that runs short changes it.
    """

    def __init__(self) -> None:
        self.kept = False
        self._library = glibc()

    def after_step(self) -> None:
        """Look at the memory of the process and of the machine, and change sides where it is time to."""
        if self._library is None or (memory := _of_process()) is None or (free := free_memory()) is None:
            return
        peak, now = memory
        if not self.kept and _FRAGMENTED * peak - now < _SHARE * free:
            self.kept = self._keep()
        elif self.kept and free < _SHORT * now:
            self.kept = not self._give_back()

    def _keep(self) -> bool:
        return self._set({M_MMAP_MAX: 0, M_TRIM_THRESHOLD: _MOST})

    def _give_back(self) -> bool:
        done = self._set({M_MMAP_MAX: _MAPPED_AT_MOST, M_MMAP_THRESHOLD: LARGEST_THRESHOLD, M_TRIM_THRESHOLD: _TRIM})
        assert self._library is not None
        self._library.malloc_trim(0)
        return done

    def _set(self, options: dict[int, int]) -> bool:
        assert self._library is not None
        return set_options(self._library, options)


def _of_process() -> tuple[int, int] | None:
    """Bytes of memory that this process had at most, and that it has; None where nobody says."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    try:
        return int(fields["VmHWM"].split()[0]) * 1024, int(fields["VmRSS"].split()[0]) * 1024
    except KeyError:
        return None
