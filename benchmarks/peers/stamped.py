"""Training commands that take turns; their evaluations are read from what they print, with their own seconds."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

Points = list[tuple[float, float]]  # seconds, metric
TURN = 60.0  # seconds


class CommandFailed(Exception):
    """The command ended by itself with an error; says where its output is."""


@dataclass(frozen=True)
class Command:
    """words: the command line, run in ``folder``. pattern: its first group is the metric, in a line of the output.

    log: where the output goes. seconds: after which it is ended. environment: on top of this process's, without the
    names in ``quiet``.
    """

    words: Sequence[str | Path]
    pattern: str
    log: Path
    seconds: float
    folder: Path
    environment: Mapping[str, str]
    quiet: Sequence[str] = ()


def evaluations(commands: Sequence[Command], turn: float = TURN) -> list[Points]:
    """Run the commands in turns of ``turn`` seconds, A B A B, each with the whole machine; the last one runs alone.

    A command's seconds count while it runs. Whatever the machine does in these minutes hits all of them. Raises
    CommandFailed, and ends the others, when one ends with an error.
    """
    with ExitStack() as stack:
        running = [stack.enter_context(_Running(command)) for command in commands]
        while left := [each for each in running if not each.over]:
            for each in left:
                each.go_on(turn)
    return [each.found for each in running]


class _Running:
    """A command, stopped unless it has its turn; a context manager that ends it and all its processes."""

    def __init__(self, command: Command):
        self.command = command
        self.found: Points = []
        # seconds of the turns before this one, and when this one began: the reader never sees one without the other
        self._clock: tuple[float, float | None] = 0.0, None

    def __enter__(self) -> _Running:
        kept = {name: value for name, value in os.environ.items() if name not in self.command.quiet}
        self._process = subprocess.Popen(
            list(map(str, self.command.words)),
            cwd=self.command.folder,
            env={**kept, "PYTHONUNBUFFERED": "1", **self.command.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # its loader's processes stop and end with it
        )
        self._signal(signal.SIGSTOP)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._signal(signal.SIGKILL)
        self._process.wait()
        self._reader.join()

    @property
    def over(self) -> bool:
        return self._process.poll() is not None or self._seconds() >= self.command.seconds

    def go_on(self, turn: float) -> None:
        """Run for ``turn`` seconds, or to the end if that comes sooner."""
        before = self._seconds()
        self._clock = before, time.monotonic()
        self._signal(signal.SIGCONT)
        try:
            code = self._process.wait(min(turn, self.command.seconds - before))
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGSTOP)
            code = 0
        self._clock = self._seconds(), None
        if code != 0:
            raise CommandFailed(f"{self.command.words[0]} ended with {code}; see {self.command.log}")

    def _seconds(self) -> float:
        before, since = self._clock
        return before + (0.0 if since is None else time.monotonic() - since)

    def _signal(self, number: signal.Signals) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, number)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self.command.log.open("w", encoding="utf-8") as output:
            for line in self._process.stdout:
                passed = self._seconds()
                output.write(f"{passed:8.1f} {line}")
                output.flush()
                if match := re.search(self.command.pattern, line):
                    self.found.append((passed, float(match[1])))
