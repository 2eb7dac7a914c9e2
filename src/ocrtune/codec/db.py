"""Polygons -> the four training maps of DB, and the probability map -> boxes.

Source: Liao et al., "Real-time Scene Text Detection with Differentiable Binarization", and PaddleOCR at 79f652f5
(ppocr/data/imaug/make_shrink_map.py, make_border_map.py, ppocr/postprocess/db_postprocess.py,
tools/infer/predict_det.py). Polygons are (K, 2) pixels, x before y; maps are (H, W) float32.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
import pyclipper
from numpy.typing import ArrayLike, NDArray

from ocrtune.codec import card
from ocrtune.codec.border import raise_to_border
from ocrtune.codec.crop import min_area_quad
from ocrtune.codec.image import DetPreprocess as DetPreprocess
from ocrtune.codec.image import Scale
from ocrtune.codec.registry import postprocessors
from ocrtune.core.geometry import area, perimeter
from ocrtune.core.records import DetectionResult, Polygon

Map = NDArray[np.float32]
Mask = NDArray[np.uint8]
_LEAST_SIDE = 3  # pixels of the source: boxes not wider or not higher than this are dropped


class DBMaps(NamedTuple):
    """Training targets of one image, each (H, W); uint8 where they are 0 or 1.

    shrink_map: 1 inside every shrunk text, else 0. shrink_mask: 0 where the shrink loss must not look (ignored, tiny
    and vanished texts), else 1. threshold_map: ``thresh_min`` far from an outline up to ``thresh_max`` on it.
    threshold_mask: 1 inside every expanded text, where the threshold loss looks.
    """

    shrink_map: Mask
    shrink_mask: Mask
    threshold_map: Map
    threshold_mask: Mask


def encode_maps(
    polygons: Sequence[ArrayLike],
    ignore: Sequence[bool],
    size: tuple[int, int],
    *,
    shrink_ratio: float = 0.4,
    thresh_min: float = 0.3,
    thresh_max: float = 0.7,
    min_text_size: int = 8,
) -> DBMaps:
    """The maps of an image of ``size`` (height, width) that shows ``polygons``; none of them is a blank page.

    min_text_size: texts whose upright bounding box, cut to the image, is shorter than this are masked out of the
    shrink loss (they stay in the threshold maps, as with PaddleOCR's order of transforms). The polygons may have
    different numbers of points; equal neighbours count once. Raises ValueError when ``ignore`` has another length.
    """
    if len(polygons) != len(ignore):
        raise ValueError(f"{len(polygons)} polygons but {len(ignore)} ignore flags")
    thresholds = (thresh_min, thresh_max)
    blank = np.full(size, thresh_min, np.float32)
    maps = DBMaps(np.zeros(size, np.uint8), np.ones(size, np.uint8), blank, np.zeros(size, np.uint8))
    for points, ignored in zip(polygons, ignore):
        polygon = _without_repeats(points)
        if not ignored:
            _draw_border(polygon, shrink_ratio, thresholds, maps.threshold_map, maps.threshold_mask)
        clipped = np.clip(polygon, 0, np.array([size[1] - 1, size[0] - 1], np.float32))
        if ignored or not _draw_shrunk(clipped, shrink_ratio, min_text_size, maps.shrink_map):
            cv2.fillPoly(maps.shrink_mask, [clipped.astype(np.int32)], 0)
    return maps


def _without_repeats(points: ArrayLike) -> Polygon:
    polygon = np.asarray(points, np.float32)
    before = polygon[np.arange(-1, len(polygon) - 1)]
    kept = (polygon != before).any(axis=1)
    return polygon if kept.all() else polygon[kept] if kept.any() else polygon[:1]


def _offset(polygon: NDArray[Any], distance: float) -> list[NDArray[np.int32]]:
    """Round-joined outlines at ``distance`` outside (negative: inside); corners are truncated to whole pixels."""
    clipper = pyclipper.PyclipperOffset()
    clipper.AddPath(polygon.astype(np.int64).tolist(), pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
    return [np.array(path, np.int32) for path in clipper.Execute(distance)]


def _draw_shrunk(polygon: Polygon, shrink_ratio: float, min_text_size: int, shrink_map: Mask) -> bool:
    """Fill the shrunk polygon with 1; False when the text is too small to train on or nothing is left of it.

    When shrinking tears the text apart, larger multiples of the ratio (which shrink less) are tried.
    """
    extent = polygon.max(axis=0) - polygon.min(axis=0)
    surface = area(polygon)
    if surface < 1 or extent.min() < min_text_size:
        return False
    length = perimeter(polygon)
    shrunk: list[NDArray[np.int32]] = []
    for ratio in np.arange(shrink_ratio, 1, shrink_ratio):
        shrunk = _offset(polygon, -surface * (1 - ratio**2) / length)
        if len(shrunk) == 1:
            break
    for part in shrunk:
        cv2.fillPoly(shrink_map, [part], 1)
    return bool(shrunk)


def _draw_border(
    polygon: Polygon, shrink_ratio: float, thresholds: tuple[float, float], canvas: Map, mask: Mask
) -> None:
    """Mark the band around the outline: ``mask`` 1 inside the expanded text, ``canvas`` the larger the nearer."""
    surface = area(polygon)
    if surface <= 0:
        return
    distance = surface * (1 - shrink_ratio**2) / perimeter(polygon)
    expanded = _offset(polygon, distance)
    if not expanded:
        return
    cv2.fillPoly(mask, [expanded[0]], 1)
    low, high = expanded[0].min(axis=0), expanded[0].max(axis=0)
    height, width = canvas.shape
    left, top = max(int(low[0]), 0), max(int(low[1]), 0)
    window = canvas[top : min(int(high[1]) + 1, height), left : min(int(high[0]) + 1, width)]
    origin = left - int(low[0]), top - int(low[1])
    raise_to_border(window, polygon - low.astype(np.float32), origin, distance, *thresholds)


@dataclass(frozen=True)
class DBPostProcess:
    """Probability map -> boxes in source pixels, as PaddleOCR's detector predicts them.

    thresh: a pixel is text when its probability is above this. box_thresh: boxes whose mean probability is below
    this are dropped. unclip_ratio: boxes grow by area * ratio / perimeter. use_dilation: thicken the text pixels by
    2 x 2 first. score_mode: the mean is taken inside the rotated rectangle ("fast") or inside the contour ("slow";
    quads only). box_type: rotated rectangles ("quad") or polygons ("poly", for curved text).
    min_size: shortest side in pixels of the map, before growing; after growing two more.
    max_candidates: at most this many contours are looked at.

    The defaults are those of PaddleOCR's prediction and configs (its class defaults, 0.7 and 2.0, are used nowhere).
    On purpose different: past ``max_candidates`` the largest contours stay, while PaddleOCR keeps the first ones,
    which are those at the bottom of the page; polygons start at the top left, like quads; and a quad turned by 45
    degrees keeps its corners, while PaddleOCR's ordering by x + y and y - x repeats one of them or crosses its sides.
    """

    thresh: float = 0.3
    box_thresh: float = 0.6
    max_candidates: int = 1000
    unclip_ratio: float = 1.5
    use_dilation: bool = False
    score_mode: Literal["fast", "slow"] = "fast"
    box_type: Literal["quad", "poly"] = "quad"
    min_size: int = 3

    def __post_init__(self) -> None:
        if self.max_candidates < 1:
            raise ValueError("max_candidates must be positive")
        if self.unclip_ratio <= 0:
            raise ValueError("unclip_ratio must be positive")

    def __call__(self, prob: Map, scale: Scale) -> DetectionResult:
        """Boxes of the (H, W) probability map ``prob``, in the pixels of the image that ``scale`` came from.

        Every polygon is clockwise from the top left (the smallest x + y), in whole numbers inside the image.
        """
        polygons: list[Polygon] = []
        scores: list[float] = []
        find = self._quad if self.box_type == "quad" else self._polygon
        for contour in self._contours(prob):
            found = find(np.asarray(prob, np.float32), contour)
            if found is None:
                continue
            polygon = _to_source(found[0], prob.shape, scale)
            polygon = np.roll(polygon, -int(polygon.sum(axis=1).argmin()), axis=0)
            polygon = np.clip(polygon, 0, [scale.source_width - 1, scale.source_height - 1]).astype(np.float32)
            if self.box_type == "quad" and _is_thin(polygon):
                continue
            polygons.append(polygon)
            scores.append(found[1])
        return DetectionResult(tuple(polygons), np.array(scores, np.float32))

    def to_dict(self) -> dict[str, Any]:
        """JSON-able settings, for the model card."""
        return card.to_dict(self)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> DBPostProcess:
        """The inverse of :meth:`to_dict`; DataError for unknown keys and wrong types."""
        return card.from_dict(cls, raw)

    def _contours(self, prob: Map) -> list[NDArray[np.int32]]:
        """Outlines (K, 2) of the text regions and of their holes, in OpenCV's order."""
        bitmap = (prob > self.thresh).astype(np.uint8)
        if self.use_dilation:
            bitmap = np.asarray(cv2.dilate(bitmap, np.ones((2, 2), np.uint8)), np.uint8)
        found, _ = cv2.findContours(bitmap, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
        contours = [np.asarray(contour, np.int32).reshape(-1, 2) for contour in found]
        if len(contours) <= self.max_candidates:
            return contours
        areas = np.array([cv2.contourArea(contour) for contour in contours])
        largest = np.argsort(-areas, kind="stable")[: self.max_candidates]
        return [contours[i] for i in np.sort(largest)]

    def _quad(self, prob: Map, contour: NDArray[np.int32]) -> tuple[Polygon, float] | None:
        quad, short_side = min_area_quad(contour)
        if short_side < self.min_size:
            return None
        score = mean_inside(prob, quad if self.score_mode == "fast" else contour)
        if self.box_thresh > score:
            return None
        grown = self._unclip(quad)
        if grown is None:
            return None
        quad, short_side = min_area_quad(grown)
        return None if short_side < self.min_size + 2 else (quad, score)

    def _polygon(self, prob: Map, contour: NDArray[np.int32]) -> tuple[Polygon, float] | None:
        outline = cv2.approxPolyDP(contour, 0.002 * cv2.arcLength(contour, True), True).reshape(-1, 2)
        if len(outline) < 4:
            return None
        score = mean_inside(prob, np.asarray(outline, np.int32))
        if self.box_thresh > score:
            return None
        grown = self._unclip(outline)
        if grown is None or min_area_quad(grown)[1] < self.min_size + 2:
            return None
        return grown.astype(np.float32), score

    def _unclip(self, polygon: NDArray[Any]) -> NDArray[np.int32] | None:
        """The polygon grown; None when it falls apart or has no area."""
        length = perimeter(polygon)
        if length == 0:
            return None
        grown = _offset(polygon, area(polygon) * self.unclip_ratio / length)
        return grown[0] if len(grown) == 1 else None


def mean_inside(prob: Map, polygon: NDArray[Any]) -> float:
    """Mean of ``prob`` over the pixels of a (K, 2) polygon, its corners truncated to whole pixels."""
    height, width = prob.shape
    left, top = np.clip(np.floor(polygon.min(axis=0)).astype(np.int32), 0, [width - 1, height - 1])
    right, bottom = np.clip(np.ceil(polygon.max(axis=0)).astype(np.int32), 0, [width - 1, height - 1])
    mask = np.zeros((bottom - top + 1, right - left + 1), np.uint8)
    local = (polygon - np.array([left, top], polygon.dtype)).astype(np.int32)
    cv2.fillPoly(mask, [local], 1)
    return float(cv2.mean(prob[top : bottom + 1, left : right + 1], mask)[0])


def _to_source(polygon: Polygon, map_shape: tuple[int, ...], scale: Scale) -> Polygon:
    """Map pixels -> source pixels, rounded to whole numbers."""
    height, width = scale.covered
    x = np.clip(np.round(polygon[:, 0] / map_shape[1] * width), 0, width)
    y = np.clip(np.round(polygon[:, 1] / map_shape[0] * height), 0, height)
    return np.stack([x, y], axis=1).astype(np.float32)


def _is_thin(quad: Polygon) -> bool:
    width = int(np.linalg.norm(quad[0] - quad[1]))
    height = int(np.linalg.norm(quad[0] - quad[3]))
    return width <= _LEAST_SIDE or height <= _LEAST_SIDE


@postprocessors.register("DBPostProcess", DBPostProcess)
def build_db_postprocess(options: DBPostProcess) -> DBPostProcess:
    """The settings are the decoder."""
    return options
