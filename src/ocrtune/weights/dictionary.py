"""When the file and the model know different characters: say so, or copy the class rows by character."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import NDArray

from ocrtune.core.charset import Charset
from ocrtune.core.errors import Problem, WeightsError

OnMismatch = Literal["fail", "by_character"]


@dataclass(frozen=True)
class Dictionaries:
    """The characters of a weights file and of the model to fill; None where unknown."""

    where: str
    file: Charset | None
    model: Charset | None
    on_mismatch: OnMismatch = "fail"

    def rows(self, value: NDArray[Any], fresh: NDArray[Any]) -> tuple[NDArray[Any], str | None]:
        """The rows of a CTC classifier (classes first) for the model: (array of ``fresh``'s shape, how or None).

        value: the file's rows. fresh: the model's own initial rows, kept for characters that the file lacks.
        Equal dictionaries change nothing. WeightsError with both counts when they differ and copying was not asked.
        """
        same = self.file == self.model if self.file and self.model else value.shape[0] == fresh.shape[0]
        if same and value.shape == fresh.shape:
            return value, None
        known = self.file is not None and self.model is not None
        if self.file is None or self.model is None or self.on_mismatch == "fail":
            raise WeightsError(self._problem(value.shape[0], fresh.shape[0], known))
        if (value.shape[0], fresh.shape[0]) != (self.file.num_classes, self.model.num_classes):
            what = f"its classifier has {value.shape[0]} classes, its dictionary {self.file.num_classes}"
            raise WeightsError(Problem(self.where, what, "the dictionary is not the one of these weights"))
        result = fresh.copy()
        result[0] = value[0]
        new = 0
        for number, character in enumerate(self.model.characters, start=1):
            if character in self.file:
                result[number] = value[self.file.class_of(character)]
            else:
                new += 1
        return result, f"copied by character ({len(self.model) - new} known, {new} new)"

    def _problem(self, in_file: int, in_model: int, known: bool) -> Problem:
        if known and self.file is not None and self.model is not None and in_file == in_model:
            what = f"its dictionary has the same size as the model's ({in_file} classes) but other characters or order"
        else:
            what = f"has {in_file} classes{_of(self.file)}, the model has {in_model}{_of(self.model)}"
        fix = "set Global.character_dict_path and use_space_char to the dictionary of these weights"
        if known:
            fix += ", or load with on_mismatch='by_character' to keep what both dictionaries share"
        return Problem(self.where, what, fix)


def _of(charset: Charset | None) -> str:
    if charset is None:
        return ""
    space = " + space" if charset.use_space_char else ""
    return f" (blank + {len(charset) - bool(charset.use_space_char)} dictionary lines{space})"
