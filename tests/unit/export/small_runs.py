"""Run folders with small networks of random weights, written by the training room's own functions."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import torch

from ocrtune.config import load_config
from ocrtune.config.recipes import find_config
from ocrtune.core.charset import Charset
from ocrtune.models.build import build_model
from ocrtune.training.checkpoint import BEST, Score, save_weights
from ocrtune.training.registries import all_registries
from ocrtune.training.run_folder import prepare_folder


def rec_run(folder: Path, charset: Charset) -> Path:
    """The PP-OCRv2 recipe over ``charset`` with eight crops of drawn digits to validate on."""
    labels = []
    for i in range(8):
        crop = np.full((40, 60 + 40 * i, 3), 235, np.uint8)
        cv2.putText(crop, f"{i}{i + 1}", (8, 32), cv2.FONT_HERSHEY_SIMPLEX, 1, (10, 10, 10), 2)
        labels.append((f"{i}.png", crop, "ab"))
    return _run(folder, "rec/PP-OCRv2", labels, charset)


def det_run(folder: Path) -> Path:
    """The PP-OCRv2 detection recipe with three drawn pages to validate on."""
    labels = []
    for i in range(3):
        page = np.full((96 + 32 * i, 160, 3), 200, np.uint8)
        cv2.putText(page, "2P24", (20, 60), cv2.FONT_HERSHEY_SIMPLEX, 1.4, (10, 10, 10), 3)
        box = {"transcription": "2P24", "points": [[18, 28], [130, 28], [130, 64], [18, 64]]}
        labels.append((f"{i}.png", page, json.dumps([box])))
    return _run(folder, "det/PP-OCRv2_student", labels, None)


def _run(folder: Path, recipe: str, labels: list, charset: Charset | None) -> Path:
    data = folder / "data"
    data.mkdir(parents=True)
    for name, image, _ in labels:
        cv2.imwrite(str(data / name), image)
    (data / "labels.txt").write_text("".join(f"{name}\t{label}\n" for name, _, label in labels), encoding="utf-8")
    overrides = [f"{section}.dataset.data_dir={data}" for section in ("Train", "Eval")]
    overrides += [f"{section}.dataset.label_file_list={data / 'labels.txt'}" for section in ("Train", "Eval")]
    overrides += [f"Global.save_model_dir={folder / 'run'}", "Global.pretrained_model=", "Eval.dataset.holdout="]
    if charset is not None:
        dictionary = data / "dictionary.txt"
        dictionary.write_text("\n".join(charset.characters[: len(charset) - charset.use_space_char]) + "\n")
        overrides += [f"Global.character_dict_path={dictionary}", f"Global.use_space_char={charset.use_space_char}"]
    else:  # finds something, although all probabilities are near one half
        overrides += ["PostProcess.thresh=0.5", "PostProcess.box_thresh=0.2"]
    config = load_config(find_config(recipe), overrides, all_registries()).config
    config = prepare_folder(config, charset)
    torch.manual_seed(0)
    model = build_model(config.architecture, charset).eval()
    _settle(model)
    if charset is not None:  # reads something, instead of blanks only
        with torch.no_grad():
            model.head.fc2.weight.mul_(1000)
            logits = model(torch.rand(4, 3, 32, 320) * 2 - 1)["ctc"]
            model.head.fc2.bias.sub_(logits.mean(dim=(0, 1)))
    save_weights(folder / "run" / BEST, model, charset, Score({"accuracy": 0.5}, step=10, epoch=1))
    return folder / "run"


def _settle(model: torch.nn.Module) -> None:
    """Statistics and scales that are not those of a fresh BatchNorm, so that folding has something to do."""
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 2.0)
            module.weight.data.uniform_(0.8, 1.2)
            module.bias.data.uniform_(-0.1, 0.1)
