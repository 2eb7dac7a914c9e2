"""Weights made from a parameter's name alone, so that PaddleOCR and ocrtune can run with the same ones."""

from __future__ import annotations

import re
import zlib

import numpy as np

CLASSES = 98  # of the CTC head: blank, 97 characters
NRTR_WIDTH = 64
TOKENS = np.array([[2, 5, 96, 41, 3, 0], [2, 17, 3, 0, 0, 0]])
IMAGES = {"det": (2, 3, 64, 96), "rec": (2, 3, 32, 104)}


def seeded(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Values for the parameter ``name``, named as in ocrtune, in Paddle's ``shape`` (Linear: in, out)."""
    random = np.random.default_rng(zlib.crc32(name.encode()))
    if name.endswith("running_var"):
        values = random.uniform(0.5, 1.5, shape)
    elif len(shape) == 1:
        values = random.normal(1.0 if "norm" in name or "bn" in name else 0.0, 0.1, shape)
    else:
        fan = np.prod(shape[1:]) if len(shape) == 4 else shape[0]
        values = random.normal(0.0, (1.2 / fan) ** 0.5, shape)
    return values.astype(np.float32)


_SCALES = re.compile(r"(^|\.)(weight|scale)$")  # of normalisation, and of learnable affine layers
_DEPTH = 0.1  # of the last layer of a DB head: keeps its steep step function out of saturation


def alive(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """As :func:`seeded`, for any network of the zoo: no layer's output is constant or saturated.

    Running statistics are those of a batch of unit variance; the zoo multiplies them with the layer's real scale.
    """
    random = np.random.default_rng(zlib.crc32(name.encode()))
    if name.endswith("running_var"):
        return random.uniform(0.5, 1.5, shape).astype(np.float32)
    values = random.standard_normal(shape, np.float32)
    if len(shape) == 1:
        return values * np.float32(0.1) + np.float32(_SCALES.search(name) is not None)
    fan = np.prod(shape[1:]) if len(shape) == 4 else shape[0] if len(shape) == 2 else 1
    values *= np.float32((1.2 / fan) ** 0.5)
    return values * np.float32(_DEPTH) if name.startswith("head.") and len(shape) == 4 and 1 in shape[:2] else values


def image(kind: str) -> np.ndarray:
    """A random normalised image batch."""
    return np.random.default_rng(7).normal(0, 1, IMAGES[kind]).astype(np.float32)


def memory() -> np.ndarray:
    """Image columns for the NRTR decoder."""
    return np.random.default_rng(8).normal(0, 1, (2, 10, NRTR_WIDTH)).astype(np.float32)


def from_paddle(name: str) -> str:
    """A name in a Paddle state as ocrtune writes it."""
    name = name.replace("._mean", ".running_mean").replace("._variance", ".running_var")
    cell = re.fullmatch(r"(.*)\.(\d+)\.cell(_fw|_bw|)\.(\w+)", name)
    return f"{cell[1]}.{cell[4]}_l{cell[2]}{'_reverse' if cell[3] == '_bw' else ''}" if cell else name


def thinned(output: np.ndarray) -> np.ndarray:
    """A part of ``output`` that sees every corner of the network: maps at every third pixel, sequences whole."""
    return output[..., ::3, 1::3] if output.ndim == 4 else output
