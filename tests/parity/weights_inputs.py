"""Weights and images that real PaddleOCR and our tests both make from names, so that no weights need storing."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

CLASSES = 21  # blank, 19 characters, the space
IMAGES = {"v2_rec": (2, 3, 32, 96), "v2_det": (1, 3, 64, 96)}


def tensor(name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """The value of the parameter that Paddle calls ``name``; scaled so that activations stay moderate."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    if name.endswith("_variance"):
        return rng.uniform(0.5, 1.5, shape).astype(np.float32)
    if len(shape) == 1:
        centre = 1.0 if name.endswith(".weight") else 0.0
        return rng.normal(centre, 0.1, shape).astype(np.float32)
    fan_in = shape[0] if len(shape) == 2 else int(np.prod(shape[1:]))
    gain = {2: 4.0, 4: 0.2}[len(shape)] if name.startswith("head.") else 1.0  # neither flat nor saturated outputs
    return rng.normal(0.0, gain * (2.0 / fan_in) ** 0.5, shape).astype(np.float32)


def image(model: str) -> NDArray[np.float32]:
    """The input (N, 3, H, W) of ``model``."""
    return np.random.default_rng(7).normal(0, 1, IMAGES[model]).astype(np.float32)
