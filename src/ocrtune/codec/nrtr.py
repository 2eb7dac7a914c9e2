"""Text <-> class numbers of the NRTR (attention) head that guides training.

Classes 0..3 are padding, unknown, start, end; then the characters in CTC order, so three classes more than CTC.
Source: PaddleOCR ppocr/data/imaug/label_ops.py ``NRTRLabelEncode`` and ppocr/postprocess/rec_postprocess.py
``NRTRLabelDecode`` at 79f652f5.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ocrtune.codec.ctc import Encoded
from ocrtune.core.charset import Charset
from ocrtune.core.records import RecognitionResult

PAD, UNKNOWN, START, END = 0, 1, 2, 3
_OFFSET = 3  # NRTR class = CTC class + 3


class NRTRCodec:
    """Encode labels for, and decode outputs of, an NRTR head over ``charset``."""

    def __init__(self, charset: Charset):
        self.charset = charset

    @property
    def num_classes(self) -> int:
        """Four special classes and every character."""
        return self.charset.num_classes + _OFFSET

    def encode(self, text: str) -> Encoded:
        """Start, the known characters, end; unpadded (0 is the padding). ``missing`` as for CTC."""
        ids = [self.charset.class_of(character) + _OFFSET for character in text if character in self.charset]
        missing = tuple(character for character in text if character not in self.charset)
        return Encoded((START, *ids, END), missing)

    def decode(self, probabilities: NDArray[np.floating[Any]]) -> list[RecognitionResult]:
        """Greedy texts of (N, L, C) class probabilities, up to the end class.

        The score is the mean probability of the characters, 0 for an empty text. Padding, unknown, start and class
        numbers past the dictionary give no character (PaddleOCR writes "blank", "<unk>" or "<s>" into the text).
        """
        ids = probabilities.argmax(axis=2)
        return self.decode_ids(ids, probabilities.max(axis=2))

    def decode_ids(self, ids: NDArray[Any], scores: NDArray[Any] | None = None) -> list[RecognitionResult]:
        """As :meth:`decode`, from class numbers (N, L) and, if known, their probabilities (N, L)."""
        weights = np.ones(ids.shape, np.float32) if scores is None else scores
        results = []
        for row_ids, row_weights in zip(ids, weights):
            ends = np.flatnonzero(row_ids == END)
            length = int(ends[0]) if len(ends) else len(row_ids)
            kept = (row_ids[:length] > END) & (row_ids[:length] < self.num_classes)
            text = "".join(self.charset.character_of(int(i) - _OFFSET) for i in row_ids[:length][kept])
            results.append(RecognitionResult(text, float(row_weights[:length][kept].mean()) if kept.any() else 0.0))
        return results
