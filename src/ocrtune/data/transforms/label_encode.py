"""CTCLabelEncode and MultiLabelEncode: text to class numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ocrtune.codec.ctc import CTCCodec
from ocrtune.codec.nrtr import PAD, NRTRCodec
from ocrtune.codec.sar import SARCodec
from ocrtune.core.errors import ConfigError, DataError, Problem
from ocrtune.core.options import ignored
from ocrtune.data.item import Context, Item
from ocrtune.data.transforms import transforms

_BOUNDS = 2  # start and end


@dataclass(frozen=True)
class CTCLabelEncodeOptions:
    """drop_out_of_dictionary: leave characters that the dictionary lacks out of the training labels, as PaddleOCR does
    without a word; otherwise they are an error. The metrics use the whole text either way."""

    drop_out_of_dictionary: bool = False
    max_text_length: int | None = ignored("Global.max_text_length decides")


@transforms.register("CTCLabelEncode", CTCLabelEncodeOptions)
class CTCLabelEncode:
    """Targets ``ctc`` (max_text_length,) int64, padded with 0, and ``length``, the number of characters."""

    def __init__(self, options: CTCLabelEncodeOptions, context: Context):
        if context.charset is None:
            raise ConfigError(Problem("Global.character_dict_path", "recognition labels need a dictionary"))
        self.codec = CTCCodec(context.charset)
        self.drop = options.drop_out_of_dictionary
        self.max_text_length = context.max_text_length

    def __call__(self, item: Item, rng: np.random.Generator) -> None:
        encoded = self.codec.encode(item.text)
        check_label(item, encoded.missing if not self.drop else (), len(encoded.ids), self.max_text_length)
        item.targets["ctc"] = _padded(encoded.ids, self.max_text_length, 0)
        item.targets["length"] = np.int64(len(encoded.ids))


@dataclass(frozen=True)
class MultiLabelEncodeOptions:
    """gtc_encode: labels of the guiding head. drop_out_of_dictionary: see CTCLabelEncode."""

    gtc_encode: Literal["NRTRLabelEncode", "SARLabelEncode"] = "SARLabelEncode"
    drop_out_of_dictionary: bool = False
    max_text_length: int | None = ignored("Global.max_text_length decides")


@transforms.register("MultiLabelEncode", MultiLabelEncodeOptions)
class MultiLabelEncode:
    """The targets of CTCLabelEncode and, (max_text_length + 2,) int64, ``nrtr`` or ``sar``: start, text, end, padding.

    PaddleOCR cuts them to max_text_length and replaces the samples whose text then does not fit; here they train.
    """

    def __init__(self, options: MultiLabelEncodeOptions, context: Context):
        self.ctc = CTCLabelEncode(CTCLabelEncodeOptions(options.drop_out_of_dictionary), context)
        assert context.charset is not None
        self.length = context.max_text_length + _BOUNDS
        self.codec: NRTRCodec | SARCodec = NRTRCodec(context.charset)
        self.target, self.padding = "nrtr", PAD
        if options.gtc_encode == "SARLabelEncode":
            self.codec = SARCodec(context.charset)
            self.target, self.padding = "sar", self.codec.padding

    def __call__(self, item: Item, rng: np.random.Generator) -> None:
        self.ctc(item, rng)
        item.targets[self.target] = _padded(self.codec.encode(item.text).ids, self.length, self.padding)


def check_label(item: Item, missing: tuple[str, ...], length: int, max_text_length: int) -> None:
    """DataError for a label that cannot be trained on; the checks before training find these all at once."""
    source = item.sample.source
    if missing:
        characters = ", ".join(repr(character) for character in dict.fromkeys(missing))
        raise DataError(Problem(source, f"{item.text!r} has characters outside the dictionary: {characters}"))
    if length == 0:
        raise DataError(Problem(source, f"no character of {item.text!r} is in the dictionary"))
    if length > max_text_length:
        raise DataError(Problem(source, f"{length} characters, but Global.max_text_length is {max_text_length}"))


def _padded(ids: tuple[int, ...], length: int, padding: int) -> NDArray[np.int64]:
    array = np.full(length, padding, np.int64)
    array[: len(ids)] = ids
    return array
