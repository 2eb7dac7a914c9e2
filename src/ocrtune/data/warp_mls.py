"""Smooth random warps of text crops: moving least squares over a few control points.

Source: Luo et al., "Learn to Augment" (text image augmentation), as PaddleOCR has it in
ppocr/data/imaug/text_image_aug at 79f652f5; here the grid is computed at once and ``cv2.remap`` moves the pixels.
"""

from __future__ import annotations

import itertools
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from ocrtune.core.records import Image

Points = NDArray[np.float64]

_CELL = 100  # the map is exact on a grid of this many pixels and bilinear between


def distort(image: Image, segments: int, rng: np.random.Generator) -> Image:
    """Move the corners inwards and the points between ``segments`` along both long edges to any side."""
    height, width = image.shape[:2]
    cut = width // segments
    reach = cut // 3
    corners = _corners(width, height)
    inwards = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])
    edges = _edge_points(cut, segments, height)
    moved = np.r_[corners + inwards * rng.integers(max(reach, 1), size=(4, 2)), edges + _moves(reach, edges.shape, rng)]
    return warp(image, np.r_[corners, edges], moved)


def stretch(image: Image, segments: int, rng: np.random.Generator) -> Image:
    """Move the borders between ``segments`` to the left or right."""
    height, width = image.shape[:2]
    cut = width // segments
    corners = _corners(width, height)
    edges = _edge_points(cut, segments, height)
    moves = np.repeat(_moves(cut * 4 // 5, (segments - 1,), rng), 2)
    return warp(image, np.r_[corners, edges], np.r_[corners, edges + np.c_[moves, np.zeros_like(moves)]])


def perspective(image: Image, rng: np.random.Generator) -> Image:
    """Move each corner up or down by less than half the height, inwards."""
    height, width = image.shape[:2]
    corners = _corners(width, height)
    rise = rng.integers(max(height // 2, 1), size=4) * np.array([1, 1, -1, -1])
    return warp(image, corners, corners + np.c_[np.zeros(4), rise])


def warp(image: Image, source: Points, target: Points) -> Image:
    """(H, W, 3) uint8 of the same size in which what was at ``source`` (K, 2) lies about at ``target`` (K, 2)."""
    height, width = image.shape[:2]
    columns, column_weights = _axis(width)
    rows, row_weights = _axis(height)
    nodes = (columns[None, :] + 1j * rows[:, None]).astype(np.complex128)
    moved = _similarity(nodes.ravel(), _complex(target), _complex(source)).reshape(nodes.shape) - nodes
    delta_x = row_weights @ moved.real.astype(np.float32) @ column_weights.T
    delta_y = row_weights @ moved.imag.astype(np.float32) @ column_weights.T
    map_x = delta_x + np.arange(width, dtype=np.float32)
    map_y = delta_y + np.arange(height, dtype=np.float32)[:, None]
    mapped = cv2.remap(image, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(mapped, np.uint8)


def _similarity(
    nodes: NDArray[np.complex128], points: NDArray[np.complex128], values: NDArray[np.complex128]
) -> NDArray[np.complex128]:
    """Moving least squares by similarities: (M,) images of ``nodes`` when ``points`` (K,) go to ``values`` (K,).

    Complex numbers stand for (x, y), so a rotation with scaling is one product (Schaefer et al., 2006, equation 6).
    """
    distance = np.abs(nodes[:, None] - points[None, :]) ** 2
    hit = distance == 0
    weights = 1 / np.where(hit, 1, distance)
    total = weights.sum(axis=1, keepdims=True)
    centre = (weights @ points)[:, None] / total
    offset = points[None, :] - centre
    spread = (weights * np.abs(offset) ** 2).sum(axis=1)
    turned = (weights * offset.conj() * values[None, :]).sum(axis=1) * (nodes - centre[:, 0]) / spread
    result = (weights @ values) / total[:, 0] + turned
    at_point = hit.any(axis=1)
    result[at_point] = values[hit.argmax(axis=1)[at_point]]
    return np.asarray(result, np.complex128)


@lru_cache(maxsize=4096)
def _axis(length: int) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Grid positions along one axis, the last pixel included, and (length, positions) weights of the pixels between.

    As in PaddleOCR, the shares of the last cell stop one step short of its end.
    """
    nodes = np.unique(np.r_[np.arange(0, length, _CELL), length - 1])
    weights = np.zeros((length, len(nodes)), np.float32)
    weights[-1, -1] = 1
    for i, (start, end) in enumerate(itertools.pairwise(nodes)):
        count = end - start + (end == length - 1 and end % _CELL != 0)
        share = np.arange(count, dtype=np.float32) / count
        weights[start : start + count, i], weights[start : start + count, i + 1] = 1 - share, share
    return nodes.astype(np.float64), weights


def _corners(width: int, height: int) -> Points:
    return np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)


def _edge_points(cut: int, segments: int, height: int) -> Points:
    """Upper and lower point at each border between segments, (2 * (segments - 1), 2)."""
    return np.array([[cut * i, y] for i in range(1, segments) for y in (0, height)], np.float64).reshape(-1, 2)


def _moves(reach: int, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
    """Whole steps from -reach / 2 up to reach / 2, as floats."""
    return np.asarray(rng.integers(max(reach, 1), size=shape) - reach * 0.5, np.float64)


def _complex(points: Points) -> NDArray[np.complex128]:
    return np.asarray(points[:, 0] + 1j * points[:, 1], np.complex128)
