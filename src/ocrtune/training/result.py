"""What a run achieved: a table for people, ``result.json`` for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ocrtune.training.checkpoint import BEST, Progress, Score, write_file
from ocrtune.training.interpolate import Interpolated
from ocrtune.training.watch import is_count

RESULT = "result.json"


@dataclass(frozen=True)
class RunResult:
    """before: the base model. after: the best evaluation, whose weights are in ``best``. Both on the validation set.

    interpolated: weights between those two, where ``Global.interpolate`` asked for them; if kept, they are in ``best``.
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
    interpolated: Interpolated | None = None

    @classmethod
    def of(
        cls,
        folder: Path,
        main_indicator: str,
        progress: Progress,
        seconds: float,
        settings: Mapping[str, Any],
        interpolated: Interpolated | None = None,
    ) -> RunResult:
        """From a finished run's progress. ValueError when nothing was evaluated."""
        if progress.before is None or progress.best is None:
            raise ValueError("the run was never evaluated")
        history = tuple(progress.history)
        before, after = progress.before, progress.best
        return cls(folder, main_indicator, before, after, progress.step, seconds, history, settings, interpolated)

    @property
    def best(self) -> Path:
        """The weights that gave ``after``, or those of ``interpolated`` if they were kept."""
        return self.folder / BEST

    def save(self) -> Path:
        """Write ``result.json`` into the run folder."""
        path = self.folder / RESULT
        content = {
            "main_indicator": self.main_indicator,
            "before": _score(self.before),
            "after": _score(self.after),
            **({"interpolated": _interpolated(self.interpolated)} if self.interpolated else {}),
            "steps": self.steps,
            "seconds": round(self.seconds, 1),
            "history": [_score(score) for score in self.history],
            "settings": dict(self.settings),
        }
        write_file(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())
        return path

    def table(self) -> str:
        """Every metric before and after, and of interpolated weights; the one that chose is marked with *."""
        names = list(self.after.metrics)
        width = max(map(len, names)) + 2
        between = self.interpolated
        tuned = self.after if between is None else between.tuned
        titles = ["before", "after", "change"]
        if between is not None:
            titles = ["before", "tuned", "change", "interpolated", "change"]
        lines = [f"{'validation set':{width}} {_row(titles)}"]
        for name in names:
            before = self.before.metrics[name]
            cells = _cells(name, before, tuned.metrics[name])
            if between is not None:
                cells += _cells(name, before, between.score.metrics[name])[1:]
            label = f"{name}{' *' if name == self.main_indicator else ''}"
            lines.append(f"{label:{width}} {_row(cells)}")
        return "\n".join([*lines, self._explained()])

    def _explained(self) -> str:
        """Where the columns come from."""
        found = self.interpolated
        if found is None:
            if self.after.step == 0:
                advice = "a lower learning rate or --interpolate 0.3 0.5 0.7 may"
                return f"no evaluation beat the base model: best holds the base weights; {advice}"
            return f"after: epoch {self.after.epoch}, step {self.after.step}, the best of {len(self.history) - 1}"
        rank = "the best" if self.after.step else "the last (none beat the base model)"
        line = f"tuned: epoch {found.tuned.epoch}, step {found.tuned.step}, {rank} of {len(self.history) - 1}"
        holds = "these" if found.kept else "the tuned weights" if self.after.step else "the base weights"
        mixture = f"{1 - found.share:g} x base + {found.share:g} x tuned"
        return f"{line}\ninterpolated: {mixture}; best holds {holds}"


def _row(cells: Sequence[str]) -> str:
    widths = (9, 9, 9, 12, 9)
    return " ".join(f"{cell:>{width}}" for cell, width in zip(cells, widths))


def _cells(name: str, before: float, after: float) -> list[str]:
    if is_count(name):
        return [f"{before:.0f}", f"{after:.0f}", _whole_change(before, after)]
    return [f"{before:.4f}", f"{after:.4f}", f"{after - before:+.4f}"]


def _whole_change(before: float, after: float) -> str:
    return f"{after - before:+.0f}" if after != before else ""


def _score(score: Score) -> dict[str, Any]:
    return {"step": score.step, "epoch": score.epoch, "metrics": dict(score.metrics)}


def _interpolated(found: Interpolated) -> dict[str, Any]:
    return {"share": found.share, "kept": found.kept, **_score(found.score)}
