"""Accuracy, character error rate and spaces of recognised text, against the raw label.

PaddleOCR (ppocr/metrics/rec_metric.py at 79f652f5) compares with a label that went through the dictionary, so that
characters the dictionary lacks vanish from the reference; here they are errors, and counted. It also divides by
n + 1e-5, so that its accuracy never reaches 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from rapidfuzz.distance import Levenshtein

from ocrtune.core.charset import Charset
from ocrtune.core.errors import DataError, Problem
from ocrtune.core.records import RecognitionResult, Sample
from ocrtune.metrics.base import paired, share
from ocrtune.metrics.registry import metrics


@dataclass(frozen=True)
class RecMetricOptions:
    """``Metric: {name: RecMetric}``.

    main_indicator: what picks the best checkpoint; "acc" and "norm_edit_dis" are PaddleOCR's spellings.
    ignore_space: remove spaces before comparing for "acc" and "norm_edit_dis" (PaddleOCR's default). Both accuracies
    are reported anyway.
    """

    main_indicator: Literal["acc", "norm_edit_dis", "accuracy", "accuracy_no_space", "norm_edit_distance"] = "acc"
    ignore_space: bool = True


@dataclass
class _Sums:
    n: int = 0
    exact: int = 0
    exact_no_space: int = 0
    normalised_distance: float = 0.0
    edits: int = 0
    label_characters: int = 0
    label_spaces: int = 0
    read_spaces: int = 0
    right_spaces: int = 0
    out_of_dictionary: int = 0


@metrics.register("RecMetric", RecMetricOptions)
class RecMetric:
    """Compares texts with labels. charset: the dictionary, to count label characters that no model can give."""

    def __init__(self, options: RecMetricOptions | None = None, charset: Charset | None = None):
        self._options = options or RecMetricOptions()
        self._charset = charset
        self.reset()

    @property
    def main_indicator(self) -> str:
        """The key of :meth:`compute` that picks the best checkpoint."""
        accuracy = "accuracy_no_space" if self._options.ignore_space else "accuracy"
        spellings = {"acc": accuracy, "norm_edit_dis": "norm_edit_distance"}
        return spellings.get(self._options.main_indicator, self._options.main_indicator)

    def reset(self) -> None:
        """Forget everything seen so far."""
        self._sums = _Sums()

    def update(self, results: Sequence[RecognitionResult], samples: Sequence[Sample]) -> None:
        """Add texts with their label lines; DataError for a line without a text label."""
        paired(len(results), len(samples))
        problems = [Problem(sample.source, "has no text label") for sample in samples if sample.text is None]
        if problems:
            raise DataError(problems)
        for result, sample in zip(results, samples):
            self._add(result.text, sample.text or "")

    def sums(self) -> dict[str, float]:
        """The counts and sums so far."""
        return asdict(self._sums)

    def add(self, sums: Mapping[str, float]) -> None:
        """Add the :meth:`sums` of another process."""
        for name, value in sums.items():
            setattr(self._sums, name, getattr(self._sums, name) + value)

    def compute(self) -> dict[str, float]:
        """All rates, 0..1 except ``cer``, which insertions can push above 1.

        accuracy: identical texts. accuracy_no_space: identical without spaces. cer: edits per label character over
        the whole set. norm_edit_distance: 1 - mean of edits / longer text (PaddleOCR's norm_edit_dis; without spaces
        when ``ignore_space``). space_precision, space_recall: spaces read that belong there, spaces of the labels
        that were read (1 when there are none on either side). out_of_dictionary: label characters outside the
        dictionary (absent without a dictionary). n: number of texts. All rates are 0 for n = 0.
        """
        s = self._sums
        no_spaces = 1.0 if s.n and not s.label_spaces and not s.read_spaces else 0.0
        values = {
            "accuracy": share(s.exact, s.n),
            "accuracy_no_space": share(s.exact_no_space, s.n),
            "cer": s.edits / max(s.label_characters, 1),
            "norm_edit_distance": 1 - s.normalised_distance / s.n if s.n else 0.0,
            "space_precision": share(s.right_spaces, s.read_spaces, no_spaces),
            "space_recall": share(s.right_spaces, s.label_spaces, no_spaces),
            "n": float(s.n),
        }
        if self._charset is not None:
            values["out_of_dictionary"] = float(s.out_of_dictionary)
        return values

    def _add(self, text: str, label: str) -> None:
        s = self._sums
        bare_text, bare_label = text.replace(" ", ""), label.replace(" ", "")
        compared = (bare_text, bare_label) if self._options.ignore_space else (text, label)
        s.n += 1
        s.exact += text == label
        s.exact_no_space += bare_text == bare_label
        s.normalised_distance += Levenshtein.normalized_distance(*compared)
        s.edits += Levenshtein.distance(text, label)
        s.label_characters += len(label)
        s.label_spaces += label.count(" ")
        s.read_spaces += text.count(" ")
        s.right_spaces += spaces_in_common(text, label)
        if self._charset is not None:
            s.out_of_dictionary += self._charset.missing([label]).total()


def spaces_in_common(text: str, label: str) -> int:
    """Spaces of ``text`` that stand where ``label`` has one, by their Levenshtein alignment."""
    if " " not in text or " " not in label:
        return 0
    blocks = Levenshtein.opcodes(text, label)
    return sum(text.count(" ", op.src_start, op.src_end) for op in blocks if op.tag == "equal")
