"""Inputs of the parity tests of SAR, ACE and centre losses and labels, made alike on both sides: numpy only."""

from __future__ import annotations

import numpy as np
from loss_inputs import CLASSES, ctc_case, hash_of

CHARACTERS = [chr(0x4E00 + i) for i in range(CLASSES - 2)]  # with the space and blank: CLASSES
TEXTS = ("\u4e00", "\u4e05\u4e05 \u4e07", "\u4e30\u4e31\u4e5e")
MAX_TEXT_LENGTH = 25
WIDTH = 12


def sar_case(name: str, labels: np.ndarray) -> np.ndarray:
    """Logits (N, L, CLASSES + 1) float32 for SAR ``labels`` (N, L): characters and the space, unknown, end.

    random: noise. near: mostly right.
    """
    rng = np.random.default_rng(hash_of(name))
    logits = rng.normal(0, 2, (*labels.shape, CLASSES + 1)).astype(np.float32)
    if name == "near":
        for row, label in enumerate(labels):
            steps = np.flatnonzero(label[1:] <= CLASSES)
            logits[row, steps, label[1:][steps]] += 6
    return logits


def features_case(name: str) -> dict[str, np.ndarray]:
    """The case of ``ctc_case`` with features (N, T, WIDTH) and centers (CLASSES, WIDTH), float32."""
    rng = np.random.default_rng(hash_of(name) + 1)
    case = ctc_case(name)
    features = rng.normal(0, 1, (*case["logits"].shape[:2], WIDTH)).astype(np.float32)
    centers = rng.normal(0, 1, (CLASSES, WIDTH)).astype(np.float32)
    return {**case, "features": features, "centers": centers}
