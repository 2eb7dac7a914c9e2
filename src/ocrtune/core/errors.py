"""Errors that say where, what and how to fix it. Problems are collected and raised once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_SHOWN = 20


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    where: a config path (``Optimizer.lr.name``), ``file:line`` or a file name.
    what: what was found and what was expected.
    fix: what the user can do about it; may be empty when ``what`` says it already.
    """

    where: str
    what: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" + (f". {self.fix}" if self.fix else "")


class OcrtuneError(Exception):
    """Base of every error a user can cause. ``exit_code`` is what the command line returns."""

    exit_code = 1

    def __init__(self, problems: Problem | str | Sequence[Problem | str]):
        found = [problems] if isinstance(problems, (Problem, str)) else list(problems)
        self.problems: tuple[Problem | str, ...] = tuple(found)
        super().__init__(str(self))

    def __str__(self) -> str:
        shown = [str(problem) for problem in self.problems[:_SHOWN]]
        if len(self.problems) > _SHOWN:
            shown.append(f"... and {len(self.problems) - _SHOWN} more")
        return "\n".join(shown)


class ConfigError(OcrtuneError):
    """The YAML, an override or a command-line value is wrong."""

    exit_code = 2


class DataError(OcrtuneError):
    """A label file, an image or a dictionary is wrong."""


class WeightsError(OcrtuneError):
    """A weights file is unreadable, unsafe or belongs to another architecture."""


class ExportError(OcrtuneError):
    """The exported file does not reproduce the trained model, or cannot be written."""


class TrainingError(OcrtuneError):
    """Training cannot go on, for example because the loss is no longer a number."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``did you mean 'x'?`` for the closest known name, or the list of known names when none is close."""
    options = sorted(str(option) for option in known)
    close = difflib.get_close_matches(name, options, n=1, cutoff=0.6)
    if not close:
        lowered = {option.lower(): option for option in options}
        close = [lowered[m] for m in difflib.get_close_matches(name.lower(), list(lowered), n=1)]
    if close:
        return f"did you mean '{close[0]}'?"
    return f"known: {', '.join(options)}" if options else ""
