"""A page -> the boxes of its texts."""

from __future__ import annotations

from ocrtune.codec.db import DBPostProcess
from ocrtune.codec.image import DetPreprocess, padded_size
from ocrtune.core.errors import DataError, Problem, WeightsError
from ocrtune.core.records import DetectionResult, Image
from ocrtune.inference.session import Session

LARGEST_AREA = 4096 * 4096
"""Pixels of a tensor; a larger one is refused. PP-OCRv6 small takes 2.8 GB for 4000 x 4000, and so on with the area."""


class Detector:
    """A detection session with the preprocessing and the post-processing it was trained with.

    Raises WeightsError when the session is not a detection model.
    """

    def __init__(self, session: Session, preprocess: DetPreprocess, postprocess: DBPostProcess):
        self.session = session.require("det")
        self.preprocess = preprocess
        self.postprocess = postprocess

    def __call__(self, image: Image) -> DetectionResult:
        """Boxes of an (H, W, 3) uint8 BGR page, in its pixels, in no particular order.

        A page of any size: the preprocessing scales it to its limit and pads what is smaller than the network's
        stride. Raises DataError when the settings would scale it beyond ``LARGEST_AREA``, WeightsError when the network
        answers with a map of another size than its input.
        """
        self._check_area(image)
        tensor, scale = self.preprocess(image)
        probability = self.session.run(tensor[None])[0, 0]
        if probability.shape != tensor.shape[1:]:
            what = f"answers a {tensor.shape[1:]} image with a map of {probability.shape}, expected the same size"
            raise WeightsError(Problem(str(self.session.path), what, "this is not a DB text detector"))
        return self.postprocess(probability, scale)

    def _check_area(self, image: Image) -> None:
        height, width = self.preprocess.size(*padded_size(*image.shape[:2]))
        if height * width > LARGEST_AREA:
            what = f"{image.shape[1]} x {image.shape[0]} pixels would be detected at {width} x {height}"
            fix = "use --det_limit_type=max with a --det_limit_side_len of at most 4096"
            raise DataError(Problem("image", what, fix))
