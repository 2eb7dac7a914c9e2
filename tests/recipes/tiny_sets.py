"""PaddleOCR's config files with only paths, dictionary, batch size and workers overridden, on drawn data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

CHARACTERS = "0123456789"
COUNT = 56  # det 23, rec 33; v2.0 to v6


def config_files(shared: Path) -> list[Path]:
    """Every YAML file of PaddleOCR's PP-OCR configs, sorted."""
    return sorted((shared / "paddleocr-configs").rglob("*.y*ml"))


def draw_sets(folder: Path) -> None:
    """``det.txt`` and ``rec.txt`` with two images each, and ``keys.txt``."""
    rng = np.random.default_rng(5)
    (folder / "keys.txt").write_text("\n".join(CHARACTERS) + "\n", encoding="utf-8")
    pages, crops = [], []
    for number in range(2):
        text = "".join(rng.permutation(list(CHARACTERS))[:6])
        page = np.full((240, 320, 3), 220, np.uint8)
        cv2.putText(page, text, (40, 120), cv2.FONT_HERSHEY_SIMPLEX, 1.6, (20, 30, 60), 4)
        box = [[36, 78], [250, 78], [250, 128], [36, 128]]
        cv2.imwrite(str(folder / f"page{number}.png"), page)
        cv2.imwrite(str(folder / f"crop{number}.png"), page[78:128, 36:250])
        pages.append(f"page{number}.png\t{json.dumps([{'transcription': text, 'points': box}])}\n")
        crops.append(f"crop{number}.png\t{text}\n")
    (folder / "det.txt").write_text("".join(pages), encoding="utf-8")
    (folder / "rec.txt").write_text("".join(crops), encoding="utf-8")


def overrides(file: Path, folder: Path, batch: int = 2) -> list[str]:
    """What the command line would say: where the data, the dictionary and the output are, how many samples at a time.

    Weights are paths too: the run starts from random ones.
    """
    raw: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    task = raw["Architecture"]["model_type"]
    found = [f"Global.save_model_dir={folder / 'run'}", "Global.pretrained_model=", "Global.checkpoints="]
    if task == "rec":
        found.append(f"Global.character_dict_path={folder / 'keys.txt'}")
    for name in raw["Architecture"].get("Models", ()):
        found.append(f"Architecture.Models.{name}.pretrained=")
    for section in ("Train", "Eval"):
        found += [
            f"{section}.dataset.data_dir={folder}",
            f"{section}.dataset.label_file_list=[{folder / f'{task}.txt'}]",
            f"{section}.loader.batch_size_per_card={batch}",
            f"{section}.loader.num_workers=0",
        ]
        if "first_bs" in raw[section].get("sampler", {}):
            found.append(f"{section}.sampler.first_bs={batch}")
    return found
