"""Ctrl-C, or SIGTERM, at a moment when everything is consistent."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupt:
    """Inside a ``with`` block the first SIGINT or SIGTERM only makes a note; :meth:`check` raises KeyboardInterrupt.

    A second one interrupts at once. Outside the main thread, where Python allows no handlers, it does nothing.
    Worker processes that are forked inside the block let the first one pass as well.
    """

    def __init__(self) -> None:
        self.requested = False
        self.agreed = False  # several processes: all of them are at the same step and will stop there
        self._previous: dict[int, Any] = {}

    def check(self) -> None:
        """Raise KeyboardInterrupt if one was asked for."""
        if self.requested:
            raise KeyboardInterrupt

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._note) for number in _SIGNALS}
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
