"""The result of checking a label set."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from ocrtune.core.errors import DataError, Problem
from ocrtune.data.labels import LabelSet


@dataclass
class CheckReport:
    """What the checks found.

    labels: the checked set; its ``sizes`` are filled in. problems: what training cannot go on with.
    skipped: indices of samples that training must leave out, with the reason. warnings: worth a look.
    notes: advice. counts: samples, texts, characters, ... by name.
    out_of_dictionary: characters that the dictionary lacks, with how often they occur.
    """

    labels: LabelSet
    problems: list[Problem] = field(default_factory=list)
    skipped: dict[int, Problem] = field(default_factory=dict)
    warnings: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    out_of_dictionary: Counter[str] = field(default_factory=Counter)

    def usable(self) -> LabelSet:
        """The samples to train on. Raises one DataError with every problem, if there are any or nothing is left."""
        if self.problems:
            raise DataError(self.problems)
        left = self.labels.without(self.skipped)
        if not len(left):
            raise DataError([*dict.fromkeys(self.skipped.values()), "no sample is left to train on"])
        return left

    def lines(self, shown: int = 5) -> list[str]:
        """For the log: counts, what is skipped, warnings (the first ``shown`` of each kind) and notes."""
        result = [", ".join(f"{count:,} {name}" for name, count in self.counts.items())]
        for title, problems in (
            ("samples left out of training", list(self.skipped.values())),
            ("warnings", self.warnings),
        ):
            if problems:
                result.append(f"{len(problems):,} {title}:")
                result += [f"  {problem}" for problem in problems[:shown]]
                result += [f"  ... and {len(problems) - shown:,} more"] if len(problems) > shown else []
        return result + self.notes
