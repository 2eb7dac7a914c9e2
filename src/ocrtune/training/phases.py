"""Where the time of a step goes: forward, backward, update.

On a CPU the marks are readings of a clock. On a GPU, which works behind the program's back, they are CUDA events in its
queue: recording one costs microseconds, and the queue is waited for only when the sums are read.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Literal

import torch

Phase = Literal["forward", "backward", "updating"]


class PhaseTimes:
    """Seconds spent in each phase since the last reading: :meth:`start`, then a :meth:`mark` behind each phase.

    forward: moving the batch to the device, the network, the loss. backward: the gradients. updating: clipping, the
    optimizer, the moving average.
    """

    def __init__(self, device: torch.device):
        self._on_gpu = device.type == "cuda"
        self._last: Any = None
        self._spans: list[tuple[Phase, Any, Any]] = []

    def start(self) -> None:
        """A step begins; what was before belongs to no phase."""
        self._last = self._now()

    def mark(self, phase: Phase) -> None:
        """What happened since the last call belongs to ``phase``."""
        now = self._now()
        self._spans.append((phase, self._last, now))
        self._last = now

    def read(self) -> dict[str, float]:
        """Seconds by phase; then forget. Waits for a GPU to reach the last mark."""
        if self._on_gpu and self._spans:
            self._spans[-1][2].synchronize()
        seconds: dict[str, float] = {}
        for phase, begin, end in self._spans:
            took = begin.elapsed_time(end) / 1000 if self._on_gpu else end - begin
            seconds[phase] = seconds.get(phase, 0.0) + took
        self._spans = []
        return seconds

    def _now(self) -> Any:
        if not self._on_gpu:
            return time.perf_counter()
        make: Callable[..., Any] = torch.cuda.Event
        event = make(enable_timing=True)
        event.record()
        return event
