"""Ctrl-C at a moment when everything is consistent."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any


class Interrupt:
    """Inside a ``with`` block the first SIGINT only makes a note, which :meth:`check` turns into KeyboardInterrupt.

    A second SIGINT interrupts at once. Outside the main thread, where Python allows no handlers, it does nothing.
    Worker processes that are forked inside the block let the first SIGINT pass as well.
    """

    def __init__(self) -> None:
        self.requested = False
        self._previous: Any = None

    def check(self) -> None:
        """Raise KeyboardInterrupt if one was asked for."""
        if self.requested:
            raise KeyboardInterrupt

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            self._previous = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)
            self._previous = None

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
