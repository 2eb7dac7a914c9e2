"""Parameters and image of the small inference model, made from names by Paddle's side and by our tests."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray


def tensor(name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """The value of the parameter that Paddle calls ``name``."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    if name.endswith("_variance"):
        return rng.uniform(0.5, 1.5, shape).astype(np.float32)
    if len(shape) == 1:
        return rng.normal(1.0 if name.endswith(("weight", "scale")) else 0.0, 0.1, shape).astype(np.float32)
    return rng.normal(0.0, 0.5, shape).astype(np.float32)


def image() -> NDArray[np.float32]:
    """(1, 3, 32, 48)."""
    return np.random.default_rng(7).normal(0, 1, (1, 3, 32, 48)).astype(np.float32)
