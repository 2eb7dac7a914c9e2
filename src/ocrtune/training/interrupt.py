"""Ctrl-C, or SIGTERM, at a moment when everything is consistent."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_ONE_WISH_S = 2.0  # signals so close together are one: torchrun passes on a Ctrl-C that its processes got already


class Interrupt:
    """Inside a ``with`` block the first SIGINT or SIGTERM only makes a note; :meth:`check` raises KeyboardInterrupt.

    A second one, two seconds later or more, interrupts at once: whatever is half done then must not be saved.
    Outside the main thread, where Python allows no handlers, it does nothing. Worker processes that are forked inside
    the block let the first one pass as well.
    """

    def __init__(self) -> None:
        self.requested = False
        self.agreed = False  # several processes: all of them are at the same step and will stop there
        self.at_once = False  # in the middle of anything
        self._noted = 0.0  # seconds of the monotonic clock
        self._previous: dict[int, Any] = {}

    def check(self) -> None:
        """Raise KeyboardInterrupt if one was asked for."""
        if self.requested:
            raise KeyboardInterrupt

    def noted_within(self, seconds: float) -> bool:
        """Whether one was asked for, or is within that time: a signal to all processes reaches some earlier."""
        end = time.monotonic() + seconds
        while not self.requested and time.monotonic() < end:
            time.sleep(0.01)
        return self.requested

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._note) for number in _SIGNALS}
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}

    def _note(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not self.requested:
            self.requested, self._noted = True, now
        elif now - self._noted >= _ONE_WISH_S:
            self.at_once = True
            raise KeyboardInterrupt
