"""Inputs that the golden script and the parity test share: drawn without OpenCV, whose fonts differ by version."""

from __future__ import annotations

import numpy as np

SEED = 7
SIZES = {"small": (90, 32), "wide": (260, 48), "tall": (150, 130)}


def crop(width: int, height: int) -> np.ndarray:
    """(H, W, 3) uint8: dark bars on a shaded ground."""
    shade = np.linspace(60, 200, width)[None, :] + np.linspace(0, 40, height)[:, None]
    image = np.repeat(shade[:, :, None], 3, axis=2).astype(np.uint8)
    for left in range(6, width - 6, 14):
        image[height // 4 : height * 3 // 4, left : left + 5] = (250, 30, 90)
    image[height // 2 : height // 2 + 4, 8 : width - 8] = (20, 220, 40)
    return image
