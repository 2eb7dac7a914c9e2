"""Cut a detected text out of a page and lay it upright. Points are pixels, x before y."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ocrtune.core.geometry import quad_size
from ocrtune.core.records import Image

_TALL = 1.5


def crop_quad(image: Image, quad: ArrayLike, turn_tall: bool = True) -> Image:
    """The (H, W, 3) crop inside ``quad``, (4, 2) clockwise from the reading top-left.

    Perspective warp, cubic, edge pixels repeated outside the page; sides shorter than one pixel become one pixel.
    turn_tall: a crop at least 1.5 times as high as wide is turned by 90 degrees counter-clockwise.
    Source: PaddleOCR tools/infer/utility.py ``get_rotate_crop_image`` at 79f652f5.
    """
    matrix, (width, height) = upright(quad)
    crop = cv2.warpPerspective(image, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    if turn_tall and is_tall(width, height):
        crop = np.rot90(crop)
    return np.ascontiguousarray(crop, np.uint8)


def upright(quad: ArrayLike) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """(matrix, (width, height)): (3, 3) from the page to the upright rectangle of that many pixels, not turned."""
    corners = np.asarray(quad, np.float32)
    width, height = (max(int(side), 1) for side in quad_size(corners))
    rectangle = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    return np.asarray(cv2.getPerspectiveTransform(corners, rectangle), np.float64), (width, height)


def is_tall(width: int, height: int) -> bool:
    """Whether :func:`crop_quad` turns a crop of that size."""
    return height / width >= _TALL


def crop_polygon(image: Image, polygon: ArrayLike, turn_tall: bool = True) -> Image:
    """As :func:`crop_quad`, inside the smallest rotated rectangle around a (K, 2) polygon.

    Source: PaddleOCR tools/infer/utility.py ``get_minarea_rect_crop`` at 79f652f5.
    """
    quad, _ = min_area_quad(np.asarray(polygon).astype(np.int32))
    return crop_quad(image, quad, turn_tall)


def rotate180(image: Image) -> Image:
    """``image`` turned by 180 degrees."""
    return np.asarray(cv2.rotate(image, cv2.ROTATE_180), np.uint8)


def min_area_quad(points: NDArray[np.int32] | NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
    """The smallest rotated rectangle around (K, 2) points: its corners (4, 2) and its shorter side, in pixels.

    The two leftmost corners first and fourth (upper first), the two rightmost second and third (upper second).
    Source: PaddleOCR ppocr/postprocess/db_postprocess.py ``get_mini_boxes`` at 79f652f5.
    """
    rectangle = cv2.minAreaRect(points)
    corners = cv2.boxPoints(rectangle)
    corners = corners[np.argsort(corners[:, 0], kind="stable")]
    left, right = corners[:2], corners[2:]
    first, fourth = (0, 1) if left[1, 1] > left[0, 1] else (1, 0)
    second, third = (0, 1) if right[1, 1] > right[0, 1] else (1, 0)
    quad = np.stack([left[first], right[second], right[third], left[fourth]]).astype(np.float32)
    return quad, float(min(rectangle[1]))
