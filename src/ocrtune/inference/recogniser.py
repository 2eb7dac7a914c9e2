"""Crops of single lines -> texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ocrtune.codec.both_ways import surer
from ocrtune.codec.crop import rotate180
from ocrtune.codec.ctc import CTCCodec
from ocrtune.codec.image import RecPreprocess, width_batches
from ocrtune.core.errors import Problem, WeightsError
from ocrtune.core.records import Image, RecognitionResult
from ocrtune.inference.session import Session

BATCH_COLUMNS = 10 * 3200
"""Most tensor columns of one batch, so that memory stays bounded: ten crops of the greatest width."""


class Recogniser:
    """A recognition session with the preprocessing and the dictionary it was trained with.

    batch_size: most crops per forward pass. Only crops of equal tensor width share one, so the batch never changes
        the text; very wide crops share fewer.
    both_ways: read each crop upside down as well and keep the surer text, in twice the time.

    Raises WeightsError when the session is not a recognition model, or has another number of classes or another
    height than the dictionary and the preprocessing.
    """

    def __init__(
        self,
        session: Session,
        preprocess: RecPreprocess,
        codec: CTCCodec,
        batch_size: int = 10,
        both_ways: bool = False,
    ):
        self.session = session.require("rec")
        self.preprocess = preprocess
        self.codec = codec
        self.batch_size = batch_size
        self.both_ways = both_ways
        self._check()

    def __call__(self, crops: Sequence[Image]) -> list[RecognitionResult]:
        """Texts of (H, W, 3) uint8 BGR crops, in their order."""
        upright = self._read(crops)
        if not self.both_ways:
            return upright
        return list(map(surer, upright, self._read([rotate180(crop) for crop in crops])))

    def _read(self, crops: Sequence[Image]) -> list[RecognitionResult]:
        widths = [self.preprocess.width(crop) for crop in crops]
        results: list[RecognitionResult | None] = [None] * len(crops)
        for group in width_batches(widths, self.batch_size):
            share = max(1, BATCH_COLUMNS // widths[group[0]])
            for start in range(0, len(group), share):
                batch = group[start : start + share]
                tensor = np.stack([self.preprocess(crops[i]) for i in batch])
                for i, result in zip(batch, self.codec.decode(self.session.run(tensor)), strict=True):
                    results[i] = result
        return [result for result in results if result is not None]

    def _check(self) -> None:
        problems: list[Problem | str] = []
        classes, needed = self.session.num_classes, self.codec.charset.num_classes
        if classes is not None and classes != needed:
            what = f"the model has {classes} classes, its dictionary gives {needed} (with blank and space)"
            problems.append(Problem(str(self.session.path), what, "use the dictionary the model was trained with"))
        height, wanted = self.session.input_height, self.preprocess.image_shape[1]
        if height is not None and height != wanted:
            what = f"the model takes images {height} pixels high, image_shape says {wanted}"
            problems.append(Problem(str(self.session.path), what, f"--rec_image_shape=3,{height},320"))
        if problems:
            raise WeightsError(problems)
