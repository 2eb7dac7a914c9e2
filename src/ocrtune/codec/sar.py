"""Text -> class numbers of the SAR (attention) head that guides PP-OCRv3's training.

The characters come first, in CTC order without blank; behind them unknown, start and end (one class for both), and
padding, so two classes more than CTC. Source: PaddleOCR ppocr/data/imaug/label_ops.py ``SARLabelEncode`` at 79f652f5.
"""

from __future__ import annotations

from ocrtune.codec.ctc import Encoded
from ocrtune.core.charset import Charset

_START_AND_END, _PADDING = 1, 2  # counted from the first class after the characters, which is unknown


class SARCodec:
    """Encode labels for a SAR head over ``charset``. Such a head is never part of inference, so nothing decodes it."""

    def __init__(self, charset: Charset):
        self.charset = charset

    @property
    def num_classes(self) -> int:
        """Every character and three special classes."""
        return len(self.charset) + _PADDING + 1

    @property
    def boundary(self) -> int:
        """The class of both the start and the end."""
        return len(self.charset) + _START_AND_END

    @property
    def padding(self) -> int:
        """The class behind the end, which no logit stands for."""
        return len(self.charset) + _PADDING

    def encode(self, text: str) -> Encoded:
        """Start, the known characters, end; unpadded. ``missing`` as for CTC; nothing becomes the unknown class."""
        ids = [self.charset.class_of(character) - 1 for character in text if character in self.charset]
        missing = tuple(character for character in text if character not in self.charset)
        return Encoded((self.boundary, *ids, self.boundary), missing)
