"""Lines drawn in an outline font, with their label file."""

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np


def draw_lines(folder: Path, drawn: Mapping[str, str], blur: float = 0) -> Path:
    """Images of the keys, labelled with the values; blur: standard deviation in pixels of a line 48 pixels high."""
    lines = []
    for i, (text, label) in enumerate(drawn.items()):
        image = np.full((48, 32 * len(text), 3), 235, np.uint8)
        cv2.putText(image, text, (12, 34), cv2.FONT_HERSHEY_SIMPLEX, 1.1, (20, 30, 40), 2, cv2.LINE_AA)
        cv2.imwrite(str(folder / f"{i}.png"), cv2.GaussianBlur(image, (0, 0), blur) if blur else image)
        lines.append(f"{i}.png\t{label}\n")
    path = folder / "lines.txt"
    path.write_text("".join(lines))
    return path
