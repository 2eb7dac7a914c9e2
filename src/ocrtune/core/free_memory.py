"""How much memory is free."""

from __future__ import annotations

from pathlib import Path

_GROUP = "/sys/fs/cgroup/memory"  # version 2


def free_memory() -> int | None:
    """Bytes that this process can still have: what Linux calls available, within the limit of its control group.

    Of what a control group uses, files that are only cached (``inactive_file``) can be had; None where nobody says.
    """
    found = []
    if (lines := _read("/proc/meminfo")) is not None:
        found += [int(line.split()[1]) * 1024 for line in lines.splitlines() if line.startswith("MemAvailable:")]
    most, used = (_read(f"{_GROUP}.{name}") for name in ("max", "current"))
    if most is not None and used is not None and most.strip() != "max":
        fields = dict(line.split(" ", 1) for line in (_read(f"{_GROUP}.stat") or "").splitlines())
        found.append(max(int(most) - int(used) + int(fields.get("inactive_file", 0)), 0))
    return min(found, default=None)


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text()
    except OSError:
        return None
