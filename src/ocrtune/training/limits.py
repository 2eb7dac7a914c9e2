"""Reasons to stop a run before its last epoch."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from ocrtune.training.checkpoint import Progress


@dataclass
class Limits:
    """max_minutes: of wall time since this object was made. early_stop: evaluations in a row without a new best."""

    max_minutes: float | None = None
    early_stop: int | None = None
    _started: float = field(default_factory=lambda: time.monotonic(), init=False)

    def reached(self, progress: Progress) -> str:
        """Why to stop now; "" when there is no reason."""
        if self.max_minutes is not None and time.monotonic() - self._started >= 60 * self.max_minutes:
            return f"Global.max_minutes: {self.max_minutes:g} minutes are over"
        if self.early_stop is not None and progress.best is not None:
            since = sum(score.step > progress.best.step for score in progress.history)
            if since >= self.early_stop:
                return f"Global.early_stop: {since} evaluations without a new best"
        return ""
