"""The controller's end: worker processes that take turns, so that whatever else the machine does hits all alike."""

from __future__ import annotations

import json
import os
import select
import statistics
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BENCHMARKS = Path(__file__).parent.parent
_LAST_LINES = 12  # of a failed worker's messages that are shown
RESERVE_GIB = 1.0  # memory that must stay free: below, the machine would begin to swap
# what a shell may have set and every stack should do without, to be measured as it starts itself
_REMOVED = ("OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD", "FLAGS_")


class WorkerFailed(Exception):
    """A worker ended without an answer; says the last of what it printed."""


class OutOfMemory(WorkerFailed):
    """A worker was ended because the machine was about to run out of memory."""


@dataclass(frozen=True)
class Stack:
    """Something to measure. module: of ``peers``, run by ``python``. variables: what the environment adds."""

    name: str
    python: str
    module: str
    variables: Mapping[str, str]


class Worker:
    """A process that answers requests one by one; a context manager that ends it.

    about: what it says of itself. reserve_gib: it is ended when less memory than this is left on the machine.
    """

    def __init__(self, stack: Stack, arguments: Any, reserve_gib: float = RESERVE_GIB):
        self.stack = stack
        self.reserve_gib = reserve_gib
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # closed by __exit__
        paths = [str(BENCHMARKS), *filter(None, [os.environ.get("PYTHONPATH")])]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_REMOVED)}
        environment = {**kept, "PYTHONPATH": os.pathsep.join(paths), **stack.variables}
        self._process = subprocess.Popen(
            [stack.python, "-m", f"peers.{stack.module}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=environment,
        )
        try:
            self.about = self.ask(arguments)
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise

    def ask(self, request: Any) -> dict[str, Any]:
        """Send ``request``, wait for the answer, watching the machine's memory. Raises WorkerFailed, OutOfMemory."""
        process = self._process
        assert process.stdin is not None  # a pipe
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
        except BrokenPipeError:
            raise WorkerFailed(self._last_words()) from None
        while not select.select([process.stdout], [], [], 1.0)[0]:
            if (free := available_gib()) is not None and free < self.reserve_gib:
                process.kill()
                raise OutOfMemory(f"{free:.1f} GiB were left while {self.stack.name} worked")
        line = process.stdout.readline()
        if not line:
            raise WorkerFailed(self._last_words())
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _last_words(self) -> str:
        code = self._process.wait()
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").splitlines()[-_LAST_LINES:]
        return "\n    ".join([f"{self.stack.name} ended with code {code}:", *lines])

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        if self._process.poll() is None:
            self._process.stdin.close()
            try:
                self._process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()
        self._log.close()


def take_turns(
    workers: Sequence[Worker], rounds: int, warm_up: int, seconds: float = 0
) -> dict[str, list[dict[str, Any]]]:
    """By stack, the answers of ``rounds`` rounds A B C A B C; those of ``warm_up`` rounds before are left out.

    seconds: of a turn, at least, for workers that make more than one step in it.
    """
    answers: dict[str, list[dict[str, Any]]] = {worker.stack.name: [] for worker in workers}
    for number in range(warm_up + rounds):
        for worker in workers:
            found = worker.ask({"round": number, "turn": seconds})
            if number >= warm_up:
                answers[worker.stack.name].append(found)
    return answers


def ratio(slow: Sequence[float], fast: Sequence[float]) -> float:
    """How many times faster the second is: the median of the ratios of each round."""
    return statistics.median(a / b for a, b in zip(slow, fast, strict=True))


def available_gib() -> float | None:
    """Memory that can be had without swapping, GiB; None where the system does not say (Linux does)."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    found = {name: rest for name, _, rest in (line.partition(":") for line in lines)}
    return int(found["MemAvailable"].split()[0]) / 2**20
