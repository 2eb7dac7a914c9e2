"""What both sides of the zoo's parity test share: images, labels, and how an output or a gradient is summarised.

Numpy only: make_golden/zoo.py runs it beside Paddle, test_zoo_paddleocr.py beside PyTorch.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

CLASSES = 98  # of the CTC head: blank, 97 characters
LENGTHS = (5, 3)  # characters of the labels
COLUMNS = 25  # max_text_length
STATISTICS = ("running_mean", "running_var")
_KEPT = 400  # numbers of an output


def image(shape: Sequence[int]) -> np.ndarray:
    """A random normalised image batch (N, 3, H, W)."""
    return np.random.default_rng(7).normal(0, 1, shape)


def det_targets(shape: Sequence[int]) -> dict[str, np.ndarray]:
    """Maps (N, H, W) of pages with three boxes each, noise in the threshold map, and a part that does not count."""
    random = np.random.default_rng(8)
    n, _, height, width = shape
    shrink, mask = np.zeros((n, height, width)), np.ones((n, height, width))
    border = np.zeros((n, height, width))
    for page in range(n):
        for _ in range(3):
            top, left = random.integers(2, height - 20), random.integers(2, width - 30)
            border[page, top : top + 16, left : left + 26] = 1
            shrink[page, top + 4 : top + 12, left + 4 : left + 22] = 1
        mask[page, :6, page * 10 : page * 10 + 20] = 0
    return {
        "shrink_map": shrink,
        "shrink_mask": mask,
        "threshold_map": random.uniform(0.3, 0.7, shrink.shape),
        "threshold_mask": border,
    }


def rec_targets(shape: Sequence[int]) -> dict[str, np.ndarray]:
    """Labels as ocrtune's targets name them; (N, COLUMNS) int64 each, no character twice in a row."""
    random = np.random.default_rng(9)
    characters = CLASSES - 1
    unknown_and_end = characters + 1  # SAR: the characters, unknown, start and end, padding
    lengths = LENGTHS[: shape[0]]
    labels = {name: np.zeros((len(lengths), COLUMNS), np.int64) for name in ("ctc", "nrtr", "sar")}
    labels["sar"][:] = characters + 2
    for row, length in enumerate(lengths):
        text = random.permutation(characters)[:length]
        labels["ctc"][row, :length] = text + 1
        labels["nrtr"][row, : length + 2] = [2, *(text + 4), 3]
        labels["sar"][row, : length + 2] = [unknown_and_end, *text, unknown_and_end]
    return {**labels, "length": np.array(lengths), "valid_ratio": np.array([0.7, 1.0][: shape[0]])}


def centers(shape: tuple[int, ...]) -> np.ndarray:
    """Class centres of CenterLoss."""
    return np.random.default_rng(10).normal(0, 1, shape)


def with_scale(name: str, values: np.ndarray, scales: Mapping[str, float]) -> np.ndarray:
    """Running statistics ``name`` for a layer whose input has the variance ``scales[layer]``; others as they are."""
    layer, _, kind = name.rpartition(".")
    if kind not in STATISTICS:
        return values
    factor = scales.get(layer, 1.0)
    return values * (factor if kind == "running_var" else factor**0.5)


def thinned(output: np.ndarray) -> np.ndarray:
    """About _KEPT numbers of ``output``, evenly spread."""
    flat = np.ascontiguousarray(output).ravel()
    step = max(1, flat.size // _KEPT)
    step += 1 - step % 2  # odd, so that no column of an even map is left out
    return flat[::step]


def digest(name: str, gradient: np.ndarray) -> tuple[float, float, float]:
    """Norm of a gradient in Paddle's layout; its dot products with two vectors of unit variance that ``name`` seeds.

    The norm is for the scale; the dot products see every entry, with its place and its sign.
    """
    flat = np.ascontiguousarray(gradient, np.float64).ravel()
    random = np.random.default_rng(zlib.crc32(f"digest {name}".encode()))
    vectors = (random.random((2, flat.size), np.float32) - np.float32(0.5)) * np.float32(12**0.5)
    first, second = vectors.astype(np.float64) @ flat
    return float(np.linalg.norm(flat)), float(first), float(second)


def listed(shapes: Mapping[str, Sequence[int]]) -> bytes:
    """Names and shapes, sorted, as a line each."""
    return "\n".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in sorted(shapes.items())).encode()


def spread(output: np.ndarray) -> dict[str, Any]:
    """How alive an output is: range and standard deviation."""
    return {"min": float(output.min()), "max": float(output.max()), "std": float(output.std())}
