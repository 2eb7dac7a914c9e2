"""``Global.profile``: what every operator of some steps costs, as a trace to look at and a table to read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile, schedule

from ocrtune.training.checkpoint import write_file

TRACE, TABLE = "profile.trace.json", "profile.txt"
WARM_UP = 5
"""Steps that run before those that are recorded: the first ones allocate memory and choose kernels."""

_ROWS = 40  # operators in the table


class Profiling:
    """Records ``steps`` steps under PyTorch's profiler, after five others; a context manager around training.

    Call :meth:`stepped` after each step. Into ``folder`` go ``profile.trace.json`` (open it in https://ui.perfetto.dev
    or chrome://tracing) and ``profile.txt``, the operators by the time they take themselves. Where the run ends
    earlier, what was recorded until then is written. ``steps`` None records nothing.

    The run then stops as at any other limit: its model is evaluated and saved, and the run can go on.
    """

    def __init__(self, steps: int | None, folder: Path, device: torch.device, say: Callable[[str], None]):
        self._steps, self._folder, self._say = steps, folder, say
        self._gpu = device.type == "cuda"
        self._taken = 0
        self._profile: profile | None = None

    def stepped(self) -> None:
        """A step is done, its batch included."""
        if self._profile is not None:
            self._taken += 1
            self._profile.step()
            if self._reached():
                self._stop()

    def finished(self) -> str:
        """Why to stop training now; "" when there is no reason."""
        return f"Global.profile: {self._steps} steps are recorded" if self._reached() else ""

    def __enter__(self) -> Profiling:
        if self._steps is not None:
            kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if self._gpu else [])]
            plan = schedule(wait=WARM_UP - 1, warmup=1, active=self._steps, repeat=1)
            self._profile = profile(activities=kinds, schedule=plan, on_trace_ready=self._write)
            self._profile.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop()

    def _reached(self) -> bool:
        return self._steps is not None and self._taken >= WARM_UP + self._steps

    def _stop(self) -> None:
        running, self._profile = self._profile, None
        if running is None:
            return
        running.stop()
        if self._taken < WARM_UP:
            self._say(f"no profile: the run ended within the {WARM_UP} steps of warm-up")

    def _write(self, done: profile) -> None:
        done.export_chrome_trace(str(self._folder / TRACE))
        by = "self_cuda_time_total" if self._gpu else "self_cpu_time_total"
        table = done.key_averages().table(sort_by=by, row_limit=_ROWS, max_name_column_width=60)
        write_file(self._folder / TABLE, f"{table}\n".encode())
        recorded = min(self._taken - WARM_UP, self._steps or 0)
        self._say(f"profile of {recorded} steps: {self._folder / TABLE}, {self._folder / TRACE} (ui.perfetto.dev)")
