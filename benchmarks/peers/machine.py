"""What a measurement was made on."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_bf16", "asimd", "bf16")


def describe() -> dict[str, Any]:
    """CPU model, the flags that decide how fast matrices are multiplied, usable cores, memory, system."""
    fields = _cpu_fields()
    has = set((fields.get("flags") or fields.get("Features") or "").split())
    return {
        "cpu": fields.get("model name") or platform.processor() or platform.machine(),
        "flags": [flag for flag in _FLAGS if flag in has],
        "cores": usable_cores(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": platform.platform(),
    }


def line(machine: Mapping[str, Any]) -> str:
    """One line for people."""
    flags = ", ".join(machine["flags"]) or "no flags known"
    return f"{machine['cpu']} ({flags}), {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['system']}"


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cpu_fields() -> dict[str, str]:
    """/proc/cpuinfo of the first core; empty on other systems than Linux."""
    try:
        first = Path("/proc/cpuinfo").read_text().split("\n\n")[0]
    except OSError:
        return {}
    return {name.strip(): value.strip() for name, _, value in (row.partition(":") for row in first.splitlines())}
