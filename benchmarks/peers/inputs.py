"""One batch of made-up images and targets, the same numbers for every stack. NumPy only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]

_TEXTS = 33  # per page, as on photographs that PP-OCR reads
_TEXT_AREA = 0.24  # share of a page inside the expanded texts
_BORDER = 0.18  # of a text's height: how far the shrunk text is inside and the expanded one outside
_LENGTHS = (5, 25)  # characters of a line
_MAX_LENGTH = 25
_START, _END, _SPECIAL = 2, 3, 3  # NRTR: class numbers, and how far its characters are behind those of CTC


def images(shape: tuple[int, int, int, int], seed: int = 0) -> NDArray[np.float32]:
    """(N, 3, H, W) float32, standard normal, as normalised photographs are on average."""
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def detection_targets(shape: tuple[int, int, int, int], seed: int = 0) -> Arrays:
    """DB's four maps, (N, H, W) float32: about 33 upright texts a page, a quarter of it inside the expanded ones."""
    count, _, height, width = shape
    rng = np.random.default_rng(seed)
    shrink, threshold, border = (np.zeros((count, height, width), np.float32) for _ in range(3))
    tall = np.sqrt(_TEXT_AREA * height * width / _TEXTS / 4)  # four times as wide as high
    for page in range(count):
        for _ in range(_TEXTS):
            high = tall * rng.uniform(0.6, 1.4)
            top, left = rng.uniform(0, height - high), rng.uniform(0, max(width - 4 * high, 1))
            edge = max(_BORDER * high, 1)
            inner = _window(top + edge, left + edge, high - 2 * edge, 4 * high - 2 * edge)
            outer = _window(top, left, high, 4 * high)
            shrink[(page, *inner)] = 1
            border[(page, *outer)] = 1
            threshold[(page, *outer)] = rng.random(threshold[(page, *outer)].shape, np.float32)
    mask = np.ones_like(shrink)
    return {
        "threshold_map": threshold * np.float32(0.4) + np.float32(0.3),
        "threshold_mask": border,
        "shrink_map": shrink,
        "shrink_mask": mask,
    }


def _window(top: float, left: float, height: float, width: float) -> tuple[slice, slice]:
    return slice(round(top), round(top + max(height, 1))), slice(round(left), round(left + max(width, 1)))


def recognition_targets(count: int, classes: int, seed: int = 0) -> Arrays:
    """Random lines of 5 to 25 characters out of ``classes`` (CTC's, with the blank 0).

    ctc (N, 25) and nrtr (N, 27) int64: class numbers, padded with 0; nrtr with start and end. length (N,) int64.
    valid_ratio (N,) float32.
    """
    rng = np.random.default_rng(seed)
    ctc = np.zeros((count, _MAX_LENGTH), np.int64)
    nrtr = np.zeros((count, _MAX_LENGTH + 2), np.int64)
    lengths = rng.integers(_LENGTHS[0], _LENGTHS[1] + 1, count)
    for row, length in enumerate(lengths):
        characters = rng.integers(1, classes, length)
        ctc[row, :length] = characters
        nrtr[row, : length + 2] = [_START, *(characters + _SPECIAL), _END]
    return {"ctc": ctc, "nrtr": nrtr, "length": lengths.astype(np.int64), "valid_ratio": np.ones(count, np.float32)}


def count_classes(dictionary: Path | str) -> int:
    """CTC's classes for a dictionary file with the space: the blank, its lines, the space."""
    return len(Path(dictionary).read_bytes().rstrip(b"\n").split(b"\n")) + 2
