"""Inputs of the codec parity tests, made alike by the golden generator and the tests: numpy only."""

import json
from pathlib import Path

import numpy as np

DECODE_SETTINGS = {
    "default": {},
    "dilated": {"use_dilation": True},
    "slow": {"score_mode": "slow", "box_thresh": 0.5},
    "loose": {"thresh": 0.2, "box_thresh": 0.4, "unclip_ratio": 2.0},
    "poly": {"box_type": "poly"},
}
RESIZES = {  # settings of DetResizeForTest, then (height, width) of images
    "max 960": {"limit_side_len": 960, "limit_type": "max"},
    "max 128": {"limit_side_len": 128, "limit_type": "max"},
    "min 736": {"limit_side_len": 736, "limit_type": "min"},
    "min 160": {"limit_side_len": 160, "limit_type": "min"},
    "resize_long type": {"limit_side_len": 200, "limit_type": "resize_long"},
    "resize_long": {"resize_long": 300},
    "shape": {"image_shape": [96, 192]},
    "shape, aspect kept": {"image_shape": [96, 192], "keep_ratio": True},
}
IMAGE_SIZES = ((120, 200), (201, 97), (48, 48), (20, 30), (5, 300))
CROP_SIZES = ((32, 100), (48, 320), (31, 400), (60, 61), (90, 20), (17, 333))
QUADS = (
    ((10, 12), (90, 20), (86, 50), (8, 44)),
    ((30.5, 10.25), (50.75, 12.5), (48, 88), (27.5, 85)),
    ((-12, 40), (60, 30), (130, 95), (0, 110)),
    ((5, 5), (65, 5), (65, 25), (5, 25)),
)


def image(height: int, width: int) -> np.ndarray:
    """(height, width, 3) uint8 with slopes and edges, in whole-number arithmetic."""
    y, x = np.mgrid[:height, :width]
    planes = [
        (x * (5 + c) + y * (3 - c) + (x * y) // (40 + 9 * c) + 60 * ((x // 11 + y // 7) % 2)) % 256 for c in range(3)
    ]
    return np.stack(planes, axis=2).astype(np.uint8)


def sampled(tensor: np.ndarray) -> np.ndarray:
    """60 values spread over a (3, H, W) or (H, W, 3) array."""
    flat = tensor.reshape(-1)
    return flat[np.linspace(0, flat.size - 1, 60).astype(np.int64)].astype(np.float32)


def random_polygons(seed: int, corners: int, size: tuple[int, int], count: int) -> tuple[np.ndarray, np.ndarray]:
    """(count, corners, 2) float32 star-shaped polygons, some over the edge, some tiny; and their ignore flags."""
    rng = np.random.default_rng(seed)
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False) + rng.uniform(0, 0.5, (count, 1))
    radius = rng.uniform(3, 28, (count, 1, 1)) * np.array([1.0, 0.45])
    around = np.stack([np.cos(angles), np.sin(angles)], axis=2) * radius * rng.uniform(0.8, 1.2, (count, corners, 1))
    centres = rng.uniform(0, 1, (count, 1, 2)) * np.array([size[1], size[0]])
    return (centres + around).astype(np.float32), rng.uniform(size=count) < 0.2


def real_polygons(label_file: Path, line: int, factor: float) -> tuple[np.ndarray, np.ndarray]:
    """(M, 4, 2) float32 corners of one label line times ``factor``, and the ignore flags."""
    _, text = label_file.read_text(encoding="utf-8").split("\n")[line].split("\t")
    labels = json.loads(text)
    polygons = np.array([label["points"] for label in labels], np.float32) * np.float32(factor)
    return polygons, np.array([label["transcription"] in ("###", "*") for label in labels])


def noise_map(seed: int, size: tuple[int, int]) -> np.ndarray:
    """(H, W) uint8: blobs of 255 with soft edges and holes, 0 between them."""
    noise = np.random.default_rng(seed).integers(0, 256, size).astype(np.float64)
    for axis in (0, 1):
        for _ in range(6):
            noise = (np.roll(noise, 1, axis) + noise + np.roll(noise, -1, axis)) / 3
    return np.round(np.clip((noise - noise.mean()) / noise.std() + 0.5, 0, 1) * 255).astype(np.uint8)


def ctc_case(seed: int) -> np.ndarray:
    """(4, 25, 7) float32 probabilities, the last text all blank."""
    logits = np.random.default_rng(seed).normal(0, 2, (4, 25, 7))
    logits[:, :, 0] += 1.5
    logits[3, :, 0] = 50
    powers = np.exp(logits)
    return (powers / powers.sum(axis=2, keepdims=True)).astype(np.float32)
