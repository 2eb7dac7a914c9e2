"""A training command whose evaluations are read from what it prints, with the seconds since it was started."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

Points = list[tuple[float, float]]  # seconds, metric


class CommandFailed(Exception):
    """The command ended by itself with an error; says where its output is."""


def evaluations(
    command: Sequence[str | Path],
    pattern: str,
    log: Path,
    *,
    seconds: float,
    folder: Path,
    environment: Mapping[str, str],
    quiet: Sequence[str] = (),
) -> Points:
    """Run ``command`` in ``folder`` for at most ``seconds``, its output in ``log``.

    pattern: its first group is the metric, in a line of the output. environment: on top of this process's, without the
    names in ``quiet``.
    """
    kept = {name: value for name, value in os.environ.items() if name not in quiet}
    found: Points = []
    start = time.monotonic()
    process = subprocess.Popen(
        list(map(str, command)),
        cwd=folder,
        env={**kept, "PYTHONUNBUFFERED": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,  # its loader's processes end with it
    )
    ended = threading.Event()
    timer = threading.Timer(seconds, lambda: (ended.set(), os.killpg(process.pid, signal.SIGKILL)))
    timer.start()
    try:
        assert process.stdout is not None
        with log.open("w", encoding="utf-8") as output:
            for line in process.stdout:
                passed = time.monotonic() - start
                output.write(f"{passed:8.1f} {line}")
                output.flush()
                if match := re.search(pattern, line):
                    found.append((passed, float(match[1])))
        if process.wait() != 0 and not ended.is_set():
            raise CommandFailed(f"{command[0]} ended with {process.returncode}; see {log}")
    finally:
        timer.cancel()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return found
