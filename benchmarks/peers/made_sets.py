"""Small labelled sets drawn on the fly: what a run needs on disk where no real set is at hand."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

_IMAGES = 4


@dataclass(frozen=True)
class LabelledSet:
    """A label file in PaddleOCR's format, and the folder that its paths start from."""

    labels: Path
    folder: Path
    samples: int

    def overrides(self, section: str) -> list[str]:
        """What makes a config's ``Train`` or ``Eval`` read this set."""
        return [
            f"{section}.dataset.data_dir={json.dumps(str(self.folder))}",
            f"{section}.dataset.label_file_list={json.dumps([str(self.labels)])}",
        ]


def make_set(folder: Path, kind: Literal["det", "rec"], samples: int, size: tuple[int, int]) -> LabelledSet:
    """``samples`` labels of four images of ``size`` (height, width): pages with two words, or crops with one."""
    folder.mkdir(parents=True, exist_ok=True)
    height, width = size
    rng = np.random.default_rng(0)
    lines = []
    for number in range(_IMAGES):
        image = rng.integers(180, 256, (height, width, 3), np.uint8)
        text = "".join(rng.choice(list("0123456789"), 6))
        scale = min(height, 48) / 48
        place = (max(width // 12, 1), max(height // 2, 8))
        cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, (10, 20, 40), 2)
        name = f"{kind}{number}.jpg"
        cv2.imwrite(str(folder / name), image)
        label = text if kind == "rec" else json.dumps(_words(text, width, height))
        lines.append(f"{name}\t{label}\n")
    labels = folder / f"{kind}.txt"
    labels.write_text("".join(lines[i % _IMAGES] for i in range(samples)), encoding="utf-8")
    return LabelledSet(labels, folder, samples)


def _words(text: str, width: int, height: int) -> list[dict[str, object]]:
    """Two boxes, one below the other, each a third of the page high."""
    found = []
    for part in (0, 1):
        top, bottom = height * (0.1 + 0.5 * part), height * (0.4 + 0.5 * part)
        box = [[width * 0.1, top], [width * 0.9, top], [width * 0.9, bottom], [width * 0.1, bottom]]
        found.append({"transcription": text, "points": [[round(x), round(y)] for x, y in box]})
    return found
