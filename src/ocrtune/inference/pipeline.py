"""A page -> its texts with their places: detection, crops, recognition."""

from __future__ import annotations

from ocrtune.codec.crop import crop_polygon, crop_quad
from ocrtune.core.records import Image, PageText, Polygon
from ocrtune.inference.detector import Detector
from ocrtune.inference.order import reading_order
from ocrtune.inference.recogniser import Recogniser


class Pipeline:
    """Detector and recogniser in a row.

    drop_score: texts with a recognition score below it are left out; 0 keeps all, empty ones too.
    turn_tall: crops at least 1.5 times as high as wide are turned by 90 degrees (PaddleOCR's and RapidOCR's rule;
        switch it off where single upright characters are read).
    """

    def __init__(self, detector: Detector, recogniser: Recogniser, drop_score: float = 0.5, turn_tall: bool = True):
        self.detector = detector
        self.recogniser = recogniser
        self.drop_score = drop_score
        self.turn_tall = turn_tall

    def __call__(self, image: Image) -> list[PageText]:
        """Texts of an (H, W, 3) uint8 BGR page in reading order; polygons are in its pixels."""
        found = self.detector(image)
        order = reading_order(found.polygons)
        read = self.recogniser([self._crop(image, found.polygons[i]) for i in order])
        return [
            PageText(found.polygons[i], result.text, result.score, float(found.scores[i]))
            for i, result in zip(order, read, strict=True)
            if result.score >= self.drop_score
        ]

    def _crop(self, image: Image, polygon: Polygon) -> Image:
        crop = crop_quad if len(polygon) == 4 else crop_polygon
        return crop(image, polygon, self.turn_tall)
