"""When the file and the model know different characters: say so, or carry the class rows over by character.

Three kinds of layer have a row per class: the CTC classifier, and the embedding and the output layer of a guidance head
(NRTR or SAR). A known character keeps its row wherever the new dictionary puts it. A new character starts with the mean
of the known rows: its score is then the mean of the known scores, which never is the highest, so what the weights read
before the change they still read after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ocrtune.core.charset import Charset
from ocrtune.core.errors import Problem, WeightsError

OnMismatch = Literal["fail", "union", "exact", "by_character"]
"""``fail``: refuse. ``exact``: the model has exactly the user's dictionary. ``union``: it has the weights' dictionary
and what the user's adds (the caller builds it, see :meth:`Charset.union`). ``by_character``: old name of ``exact``."""


@dataclass(frozen=True)
class ClassRows:
    """Where the characters are among the rows of a layer: after ``before`` special rows, ``after`` more at the end."""

    before: int
    after: int

    def count(self, rows: int) -> int:
        """How many characters ``rows`` rows hold."""
        return rows - self.before - self.after


CTC = ClassRows(1, 0)
_GUIDANCE = {  # end of a layer's name -> its rows; PaddleOCR's NRTR has a spare last class, its SAR predicts no padding
    "gtc_head.embedding.embedding": ClassRows(4, 1),
    "gtc_head.tgt_word_prj": ClassRows(4, 1),
    "sar_head.decoder.embedding": ClassRows(0, 3),
    "sar_head.decoder.prediction": ClassRows(0, 2),
}


def class_rows(layer: str, classifier: str | None) -> ClassRows | None:
    """How the rows of ``layer`` (a module's name) are laid out by class; None when it has no row per class."""
    if layer == classifier:
        return CTC
    return next((rows for ending, rows in _GUIDANCE.items() if layer.endswith(ending)), None)


@dataclass(frozen=True)
class Dictionaries:
    """The characters of a weights file and of the model to fill; None where unknown.

    ``file``'s own ``use_space_char`` is a guess where a user named the dictionary; the number of rows decides.
    """

    where: str
    file: Charset | None
    model: Charset | None
    on_mismatch: OnMismatch = "fail"

    def rows(
        self, value: NDArray[Any], shape: tuple[int, ...], layout: ClassRows = CTC
    ) -> tuple[NDArray[Any], str | None]:
        """The rows of a layer (classes first) for the model: (array of ``shape``, how or None).

        value: the file's rows. shape: of the model's.
        Equal dictionaries change nothing. WeightsError with both counts when they differ and copying was not asked.
        """
        file = self._file_of(layout.count(value.shape[0]))
        same = file == self.model if file and self.model else value.shape[0] == shape[0]
        if same and value.shape == shape:
            return value, None
        if file is None or self.model is None or self.on_mismatch == "fail":
            raise WeightsError(self._problem(value.shape[0], shape[0], file))
        if (layout.count(value.shape[0]), layout.count(shape[0])) != (len(file), len(self.model)):
            what = f"its classifier has {value.shape[0]} classes, its dictionary {len(file) + layout.before}"
            raise WeightsError(Problem(self.where, what, "the dictionary is not the one of these weights"))
        known = {i: file.class_of(c) - 1 for i, c in enumerate(self.model.characters) if c in file}
        if not known:
            raise WeightsError(Problem(self.where, "its dictionary and the model's have no character in common"))
        first = layout.before
        result = np.empty(shape, value.dtype)
        result[:first] = value[:first]
        result[first + len(self.model) :] = value[first + len(file) :]
        kept = value[[first + number for number in known.values()]]
        result[first : first + len(self.model)] = kept.mean(axis=0, dtype=np.float64)
        result[[first + number for number in known]] = kept
        return result, f"copied by character ({len(known)} known, {len(self.model) - len(known)} new)"

    def _file_of(self, characters: int) -> Charset | None:
        """The file's dictionary, with or without the space as the number of its rows says."""
        if self.file is None or len(self.file) == characters:
            return self.file
        other = self.file.with_space(not self.file.use_space_char)
        return other if len(other) == characters else self.file

    def _problem(self, in_file: int, in_model: int, file: Charset | None) -> Problem:
        if file is not None and self.model is not None and in_file == in_model:
            what = f"its dictionary has the same size as the model's ({in_file} classes) but other characters or order"
        else:
            what = f"has {in_file} classes{_of(file)}, the model has {in_model}{_of(self.model)}"
        fix = (
            "set Global.character_dict_path and use_space_char to the dictionary of these weights; or keep the rows of "
            "the characters that both have: -o Global.on_mismatch=exact (only your dictionary) or union (the weights' "
            "and yours)"
        )
        if file is None:
            fix += ", with Global.pretrained_character_dict_path naming the dictionary of these weights"
        return Problem(self.where, what, fix)


def check_class_count(classes: int | None, charset: Charset | None, where: str) -> None:
    """WeightsError when a recogniser's classifier does not have one class per character and blank."""
    if charset is not None and classes is not None and classes != charset.num_classes:
        what = f"the classifier has {classes} classes, the dictionary {charset.num_classes}{_of(charset)}"
        raise WeightsError(Problem(where, what, "the dictionary is not the one that this model was built with"))


def _of(charset: Charset | None) -> str:
    if charset is None:
        return ""
    space = " + space" if charset.use_space_char else ""
    return f" (blank + {len(charset) - bool(charset.use_space_char)} dictionary lines{space})"
