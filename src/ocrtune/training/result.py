"""What a run achieved: a table for people, ``result.json`` for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ocrtune.training.checkpoint import BEST, Progress, Score, write_file
from ocrtune.training.watch import is_count

RESULT = "result.json"


@dataclass(frozen=True)
class RunResult:
    """before: the base model. after: the best evaluation, whose weights are in ``best``. Both on the validation set.

    main_indicator: the metric by which ``after`` was chosen. seconds: of the whole run.
    history: every evaluation in order. settings: what the config resolved to (rates, batch, device, ...).
    """

    folder: Path
    main_indicator: str
    before: Score
    after: Score
    steps: int
    seconds: float
    history: tuple[Score, ...]
    settings: Mapping[str, Any]

    @classmethod
    def of(
        cls, folder: Path, main_indicator: str, progress: Progress, seconds: float, settings: Mapping[str, Any]
    ) -> RunResult:
        """From a finished run's progress. ValueError when nothing was evaluated."""
        if progress.before is None or progress.best is None:
            raise ValueError("the run was never evaluated")
        history = tuple(progress.history)
        return cls(folder, main_indicator, progress.before, progress.best, progress.step, seconds, history, settings)

    @property
    def best(self) -> Path:
        """The weights that gave ``after``."""
        return self.folder / BEST

    def save(self) -> Path:
        """Write ``result.json`` into the run folder."""
        path = self.folder / RESULT
        content = {
            "main_indicator": self.main_indicator,
            "before": _score(self.before),
            "after": _score(self.after),
            "steps": self.steps,
            "seconds": round(self.seconds, 1),
            "history": [_score(score) for score in self.history],
            "settings": dict(self.settings),
        }
        write_file(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())
        return path

    def table(self) -> str:
        """Every metric before and after; the one that chose is marked with *."""
        names = list(self.after.metrics)
        width = max(map(len, names)) + 2
        lines = [f"{'validation set':{width}} {'before':>9} {'after':>9} {'change':>9}"]
        for name in names:
            before, after = self.before.metrics[name], self.after.metrics[name]
            label = f"{name}{' *' if name == self.main_indicator else ''}"
            if is_count(name):
                lines.append(f"{label:{width}} {before:>9.0f} {after:>9.0f} {_whole_change(before, after):>9}")
            else:
                lines.append(f"{label:{width}} {before:>9.4f} {after:>9.4f} {after - before:>+9.4f}")
        if self.after.step == 0:
            lines.append("no evaluation beat the base model: best holds the base weights")
        else:
            lines.append(
                f"after: epoch {self.after.epoch}, step {self.after.step}, the best of {len(self.history) - 1}"
            )
        return "\n".join(lines)


def _whole_change(before: float, after: float) -> str:
    return f"{after - before:+.0f}" if after != before else ""


def _score(score: Score) -> dict[str, Any]:
    return {"step": score.step, "epoch": score.epoch, "metrics": dict(score.metrics)}
