"""Text <-> CTC class numbers. Class 0 is blank; the rest follows :class:`~ocrtune.core.charset.Charset`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ocrtune.codec.beam import likeliest, mean_probability
from ocrtune.codec.language import Language
from ocrtune.codec.registry import postprocessors
from ocrtune.core.charset import Charset
from ocrtune.core.errors import Problem, WeightsError
from ocrtune.core.options import ignored
from ocrtune.core.records import RecognitionResult

_BLANK = 0


class Encoded(NamedTuple):
    """A text as class numbers. missing: its characters outside the dictionary, in order; they have no number."""

    ids: tuple[int, ...]
    missing: tuple[str, ...]


class CTCCodec:
    """Encode labels for, and decode outputs of, a CTC head over ``charset``.

    language: what :meth:`decode` knows of texts besides their images. It leads the search and chooses from what was
    found, not always rightly: also a text that the network finds far less likely than another.
    """

    def __init__(self, charset: Charset, language: Language | None = None):
        self.charset = charset
        self.language = language

    def encode(self, text: str) -> Encoded:
        """Class numbers of the characters (code points) of ``text``; the caller must look at ``missing``."""
        known = [character for character in text if character in self.charset]
        missing = tuple(character for character in text if character not in self.charset)
        return Encoded(tuple(self.charset.class_of(character) for character in known), missing)

    def decode(self, probabilities: NDArray[np.floating[Any]]) -> list[RecognitionResult]:
        """Texts of (T, C) or (N, T, C) class probabilities; without a language, the greedy ones.

        Repeats are merged, blanks removed; the score is the mean probability of the steps that were kept, 0 for an
        empty text. Source: PaddleOCR ppocr/postprocess/rec_postprocess.py ``CTCLabelDecode`` at 79f652f5.
        Raises WeightsError when C is not the number of classes of the dictionary.
        """
        steps = self._batched(probabilities)
        if self.language is not None:
            return [self._decode_with(self.language, row) for row in steps]
        ids = steps.argmax(axis=2)
        return self.decode_steps(ids, np.take_along_axis(steps, ids[:, :, None], axis=2)[:, :, 0])

    def decode_logits(self, logits: NDArray[np.floating[Any]]) -> list[RecognitionResult]:
        """As :meth:`decode`, for outputs before the softmax; the softmax is taken at the best class only."""
        steps = self._batched(logits)
        ids = steps.argmax(axis=2)
        best = np.take_along_axis(steps, ids[:, :, None], axis=2)
        return self.decode_steps(ids, 1 / np.exp(steps - best).sum(axis=2))

    def decode_steps(self, ids: NDArray[Any], scores: NDArray[Any]) -> list[RecognitionResult]:
        """The greedy texts, from the best class (N, T) of each step and its probability (N, T)."""
        kept = ids != _BLANK
        kept[:, 1:] &= ids[:, 1:] != ids[:, :-1]
        results = []
        for row_ids, row_scores, row_kept in zip(ids, scores, kept):
            text = "".join(self.charset.character_of(int(i)) for i in row_ids[row_kept])
            results.append(RecognitionResult(text, float(row_scores[row_kept].mean()) if row_kept.any() else 0.0))
        return results

    def _decode_with(self, language: Language, steps: NDArray[np.floating[Any]]) -> RecognitionResult:
        """The text that image and language find likeliest together; its score is the network's, as of a greedy text."""

        def text_of(ids: tuple[int, ...]) -> str:
            return "".join(map(self.charset.character_of, ids))

        readings = likeliest(steps, promise=lambda ids: language.promise(text_of(ids)))
        texts = [text_of(reading.ids) for reading in readings]
        best, likelihood = language.best([(text, seen.log_probability) for text, seen in zip(texts, readings)])
        return RecognitionResult(texts[best], mean_probability(steps, readings[best].ids), likelihood)

    def _batched(self, steps: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
        if steps.ndim not in (2, 3):
            raise ValueError(f"expected (T, C) or (N, T, C), got {steps.shape}")
        if steps.shape[-1] != self.charset.num_classes:
            what = f"the model has {steps.shape[-1]} classes, the dictionary needs {self.charset.num_classes}"
            raise WeightsError(
                Problem("dictionary", what, "use the dictionary and use_space_char the model was trained with")
            )
        return steps if steps.ndim == 3 else steps[None]


@dataclass(frozen=True)
class CTCLabelDecodeOptions:
    """``PostProcess: {name: CTCLabelDecode}``; the dictionary comes from the Global section."""

    character_dict_path: str | None = ignored("Global.character_dict_path decides")
    use_space_char: bool | None = ignored("Global.use_space_char decides")


@postprocessors.register("CTCLabelDecode", CTCLabelDecodeOptions)
def build_ctc_codec(options: CTCLabelDecodeOptions, charset: Charset) -> CTCCodec:
    """The codec of a run."""
    return CTCCodec(charset)
