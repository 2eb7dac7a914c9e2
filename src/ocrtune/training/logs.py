"""What a run says while it works: one JSON line per event in ``train.jsonl``, and a progress bar or plain lines."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, TextIO

from tqdm import tqdm

from ocrtune.core.errors import Problem, TrainingError

_PLAIN_EVERY_S = 15.0


class Mirror(Protocol):
    """Something else that gets every event."""

    def write(self, event: str, values: Mapping[str, Any]) -> None:
        """As :meth:`Journal.write`."""
        ...


class Journal:
    """Appends events to a file, one JSON object per line, flushed line by line. Use it as a context manager.

    mirror: gets the same events.
    """

    def __init__(self, path: Path, mirror: Mirror | None = None):
        try:
            self._stream = path.open("a", encoding="utf-8")
        except OSError as error:
            raise TrainingError(Problem(str(path), f"cannot write it ({error.strerror})")) from error
        self._start = time.perf_counter()
        self._mirror = mirror

    def write(self, event: str, values: Mapping[str, Any]) -> None:
        """``{"event": ..., "time": seconds since the journal was opened, **values}``; not-a-number becomes null."""
        seconds = round(time.perf_counter() - self._start, 3)
        record = {"event": event, "time": seconds, **{name: _plain(value) for name, value in values.items()}}
        self._stream.write(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n")
        self._stream.flush()
        if self._mirror is not None:
            self._mirror.write(event, values)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stream.close()


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


class Meter:
    """Means of what steps report, since the last reading."""

    def __init__(self) -> None:
        self._reset()

    def add(self, losses: Mapping[str, float], samples: int, waited: float) -> None:
        """One step: its losses, its number of samples, the seconds it waited for them."""
        for name, value in losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._steps += 1
        self._samples += samples
        self._waited += waited

    def read(self, phases: Mapping[str, float] | None = None) -> dict[str, float]:
        """Mean of each loss, ``samples_per_s`` and shares of the time, 0..1; then forget.

        The shares: ``waiting`` for data, and those of ``phases``, which gives the seconds since the last reading.
        A loss that only some steps reported counts as 0 in the others. Empty when there was no step.
        """
        if not self._steps:
            return {}
        seconds = max(time.perf_counter() - self._since, 1e-9)
        result = {name: value / self._steps for name, value in self._sums.items()}
        result["samples_per_s"] = self._samples / seconds
        spent = {"waiting": self._waited, **(phases or {})}
        result |= {name: min(value / seconds, 1.0) for name, value in spent.items()}
        self._reset()
        return result

    def pause(self, seconds: float) -> None:
        """Do not count ``seconds`` that were spent on something else, such as an evaluation."""
        self._since += seconds

    def _reset(self) -> None:
        self._sums: dict[str, float] = {}
        self._steps = self._samples = 0
        self._waited = 0.0
        self._since = time.perf_counter()


class Bar:
    """Progress with rate and time left: a tqdm bar on a terminal, otherwise a plain line every 15 seconds.

    total, done: in units of ``unit``. quiet: say nothing at all. Use it as a context manager.
    """

    def __init__(
        self,
        total: int,
        unit: str,
        done: int = 0,
        stream: TextIO | None = None,
        keep: bool = True,
        quiet: bool = False,
    ):
        self._stream = stream or sys.stderr
        self._quiet = quiet
        self._total, self._done, self._first, self._unit = total, done, done, unit
        self._start = self._said = time.perf_counter()
        self._bar: tqdm[Any] | None = None
        if self._stream.isatty() and not quiet:
            self._bar = tqdm(
                total=total, initial=done, unit=unit, file=self._stream, dynamic_ncols=True, leave=keep, smoothing=0.1
            )

    def advance(self, text: str = "", by: int = 1) -> None:
        """``by`` more units are done; ``text`` says how it goes."""
        self._done += by
        if self._bar is not None:
            if text:
                self._bar.set_postfix_str(text, refresh=False)
            self._bar.update(by)
            return
        now = time.perf_counter()
        if now - self._said >= _PLAIN_EVERY_S and not self._quiet:
            self._said = now
            left = (now - self._start) / max(self._done - self._first, 1) * (self._total - self._done)
            print(
                f"{self._unit} {self._done}/{self._total}  {text}  {duration(left)} left", file=self._stream, flush=True
            )

    def say(self, line: str) -> None:
        """A line of its own, above the bar."""
        if self._bar is not None:
            self._bar.write(line, file=sys.stdout)
        elif not self._quiet:
            print(line, flush=True)

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.close()


def duration(seconds: float) -> str:
    """``1:02:03`` or ``2:03``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
