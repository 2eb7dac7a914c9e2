"""Smooth random warps of text crops: moving least squares over a few control points.

Source: Luo et al., "Learn to Augment" (text image augmentation), as PaddleOCR has it in
ppocr/data/imaug/text_image_aug at 79f652f5; here the grid is computed at once and ``cv2.remap`` moves the pixels.
"""

from __future__ import annotations

import itertools
from functools import lru_cache
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from ocrtune.core.jit import compiled
from ocrtune.core.records import Image

Points = NDArray[np.float64]
Map = NDArray[np.float32]
Axis: TypeAlias = tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float32]]

_INWARDS = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])  # of the corners of a rectangle
_CELL = 100  # the map is exact on a grid of this many pixels and bilinear between


def distort(image: Image, segments: int, rng: np.random.Generator) -> Image:
    """Move the corners inwards and the points between ``segments`` along both long edges to any side."""
    height, width = image.shape[:2]
    cut = width // segments
    reach = cut // 3
    corners = _corners(width, height)
    edges = _edge_points(cut, segments, height)
    moved_corners = corners + _INWARDS * rng.integers(max(reach, 1), size=(4, 2))
    moved_edges = edges + _moves(reach, edges.shape, rng)
    return warp(image, np.concatenate([corners, edges]), np.concatenate([moved_corners, moved_edges]))


def stretch(image: Image, segments: int, rng: np.random.Generator) -> Image:
    """Move the borders between ``segments`` to the left or right."""
    height, width = image.shape[:2]
    cut = width // segments
    corners = _corners(width, height)
    edges = _edge_points(cut, segments, height)
    moved = edges.copy()
    moved[:, 0] += np.repeat(_moves(cut * 4 // 5, (segments - 1,), rng), 2)
    return warp(image, np.concatenate([corners, edges]), np.concatenate([corners, moved]))


def perspective(image: Image, rng: np.random.Generator) -> Image:
    """Move each corner up or down by less than half the height, inwards."""
    height, width = image.shape[:2]
    corners = _corners(width, height)
    moved = corners.copy()
    moved[:, 1] += rng.integers(max(height // 2, 1), size=4) * _INWARDS[:, 1]
    return warp(image, corners, moved)


def warp(image: Image, source: Points, target: Points) -> Image:
    """(H, W, C) uint8 of the same size in which what was at ``source`` (K, 2) lies about at ``target`` (K, 2).

    OpenCV 5 moves four channels in half the time of three.
    """
    height, width = image.shape[:2]
    map_x, map_y = np.empty((2, height, width), np.float32)
    compiled(map_with_loops, map_with_numpy)(map_x, map_y, source, target, _axis(width), _axis(height))
    mapped = cv2.remap(image, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(mapped, np.uint8)


def map_with_loops(map_x: Map, map_y: Map, source: Points, target: Points, columns: Axis, rows: Axis) -> None:
    """Fill the (H, W) maps with where in the source each pixel comes from, in the Python that numba compiles.

    Moving least squares by similarities at the crossings of the grid, bilinear between.
    """
    xs, column_cells, column_shares = columns
    ys, row_cells, row_shares = rows
    moved = np.empty((len(ys), len(xs), 2), np.float32)
    for row in range(len(ys)):
        for column in range(len(xs)):
            x, y = xs[column], ys[row]
            to_x, to_y, total = 0.0, 0.0, 0.0
            middle_x, middle_y, spread, across, along = 0.0, 0.0, 0.0, 0.0, 0.0
            for k in range(len(target)):
                far = (x - target[k, 0]) ** 2 + (y - target[k, 1]) ** 2
                if far == 0.0:
                    to_x, to_y, total = source[k, 0], source[k, 1], 0.0
                    break
                to_x, to_y = to_x + source[k, 0] / far, to_y + source[k, 1] / far
                middle_x, middle_y = middle_x + target[k, 0] / far, middle_y + target[k, 1] / far
                total += 1.0 / far
            if total > 0.0:
                to_x, to_y, middle_x, middle_y = to_x / total, to_y / total, middle_x / total, middle_y / total
                for k in range(len(target)):
                    far = (x - target[k, 0]) ** 2 + (y - target[k, 1]) ** 2
                    off_x, off_y = target[k, 0] - middle_x, target[k, 1] - middle_y
                    spread += (off_x * off_x + off_y * off_y) / far
                    along += (off_x * source[k, 0] + off_y * source[k, 1]) / far
                    across += (off_x * source[k, 1] - off_y * source[k, 0]) / far
                to_x += (along * (x - middle_x) - across * (y - middle_y)) / spread
                to_y += (along * (y - middle_y) + across * (x - middle_x)) / spread
            moved[row, column, 0], moved[row, column, 1] = to_x - x, to_y - y
    for row in range(map_x.shape[0]):
        above, down = row_cells[row], row_shares[row]
        line = moved[above] * (np.float32(1.0) - down) + moved[above + 1] * down
        for column in range(map_x.shape[1]):
            left, right = column_cells[column], column_shares[column]
            rest = np.float32(1.0) - right
            map_x[row, column] = line[left, 0] * rest + line[left + 1, 0] * right + np.float32(column)
            map_y[row, column] = line[left, 1] * rest + line[left + 1, 1] * right + np.float32(row)


def map_with_numpy(map_x: Map, map_y: Map, source: Points, target: Points, columns: Axis, rows: Axis) -> None:
    """:func:`map_with_loops` for all crossings at once."""
    xs, column_cells, column_shares = columns
    ys, row_cells, row_shares = rows
    nodes = (xs[None, :] + 1j * ys[:, None]).astype(np.complex128)
    moved = _similarity(nodes.ravel(), _complex(target), _complex(source)).reshape(nodes.shape) - nodes
    down, right = row_shares[:, None], column_shares
    for result, delta in ((map_x, moved.real.astype(np.float32)), (map_y, moved.imag.astype(np.float32))):
        lines = delta[row_cells] * (1 - down) + delta[row_cells + 1] * down
        result[:] = lines[:, column_cells] * (1 - right) + lines[:, column_cells + 1] * right
    map_x += np.arange(map_x.shape[1], dtype=np.float32)
    map_y += np.arange(map_x.shape[0], dtype=np.float32)[:, None]


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
def _axis(length: int) -> Axis:
    """(grid positions, the last pixel included; of each pixel the cell it is in; and its share of the way through it).

    As in PaddleOCR, the shares of the last cell stop one step short of its end.
    """
    nodes = np.unique(np.r_[np.arange(0, length, _CELL), max(length - 1, 1)])
    cells, shares = np.full(length, len(nodes) - 2), np.ones(length, np.float32)
    for i, (start, end) in enumerate(itertools.pairwise(nodes)):
        count = end - start + (end == length - 1 and end % _CELL != 0)
        cells[start : start + count] = i
        shares[start : start + count] = np.arange(count, dtype=np.float32)[: length - start] / count
    return nodes.astype(np.float64), cells, shares


def _corners(width: int, height: int) -> Points:
    return np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)


def _edge_points(cut: int, segments: int, height: int) -> Points:
    """Upper and lower point at each border between segments, (2 * (segments - 1), 2)."""
    return np.array([[cut * i, y] for i in range(1, segments) for y in (0, height)], np.float64).reshape(-1, 2)


def _moves(reach: int, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
    """Whole steps from -reach / 2 up to reach / 2, as floats."""
    return np.asarray(np.floor(rng.random(shape) * max(reach, 1)) - reach * 0.5, np.float64)


def _complex(points: Points) -> NDArray[np.complex128]:
    return np.asarray(points[:, 0] + 1j * points[:, 1], np.complex128)
