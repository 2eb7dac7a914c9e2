"""Tiny labelled sets drawn on the fly, and the smallest configs that train on them in seconds."""

import json
from pathlib import Path

import cv2
import numpy as np

from ocrtune.config import RunConfig, load_config
from ocrtune.training.registries import all_registries

DIGITS = "0123"

_GLOBAL = """
Global: {{epoch_num: {epochs}, save_model_dir: {folder}, print_batch_step: 2, seed: 7, precision: float32{more}}}
"""
_OPTIMIZER = """
Optimizer: {name: Adam, lr: {name: Cosine, learning_rate: 0.01, warmup_epoch: 0.5}, clip_norm_global: 5.0}
"""

_REC = """
Architecture:
  model_type: rec
  algorithm: CRNN
  Backbone: {name: MobileNetV1Enhance, scale: 0.125}
  Neck: {name: SequenceEncoder, encoder_type: rnn, hidden_size: 24}
  Head: {name: CTCHead, mid_channels: 24, fc_decay: 0.00002}
Loss: {name: CTCLoss}
PostProcess: {name: CTCLabelDecode}
Metric: {name: RecMetric, main_indicator: acc}
Train:
  dataset:
    data_dir: DATA
    label_file_list: [DATA/train.txt, DATA/train.txt, DATA/train.txt, DATA/train.txt, DATA/train.txt]
    transforms:
      - DecodeImage: {img_mode: BGR}
      - CTCLabelEncode:
      - RecResizeImg: {image_shape: [3, 32, 48]}
      - KeepKeys: {keep_keys: [image, label, length]}
  loader: {batch_size_per_card: 8, shuffle: true, num_workers: 0}
Eval:
  dataset:
    data_dir: DATA
    label_file_list: [DATA/train.txt]
    transforms:
      - DecodeImage: {img_mode: BGR}
      - RecResizeImg: {image_shape: [3, 32, 48]}
  loader: {batch_size_per_card: 8, num_workers: 0}
"""

_DET = """
Architecture:
  model_type: det
  algorithm: DB
  Backbone: {name: MobileNetV3, scale: 0.35, model_name: small, disable_se: true}
  Neck: {name: DBFPN, out_channels: 16}
  Head: {name: DBHead, k: 50}
Loss: {name: DBLoss, main_loss_type: DiceFocalLoss}
PostProcess: {name: DBPostProcess, thresh: 0.3, box_thresh: 0.5, unclip_ratio: 1.5}
Metric: {name: DetMetric, main_indicator: hmean}
Train:
  dataset:
    data_dir: DATA
    label_file_list: [DATA/train.txt, DATA/train.txt, DATA/train.txt, DATA/train.txt, DATA/train.txt]
    transforms:
      - DecodeImage: {img_mode: BGR}
      - DetLabelEncode:
      - EastRandomCropData: {size: [96, 96], max_tries: 10, keep_ratio: true}
      - MakeBorderMap: {shrink_ratio: 0.4, thresh_min: 0.3, thresh_max: 0.7}
      - MakeShrinkMap: {shrink_ratio: 0.4, min_text_size: 8}
      - NormalizeImage: {}
      - ToCHWImage:
      - KeepKeys: {keep_keys: [image, threshold_map, threshold_mask, shrink_map, shrink_mask]}
  loader: {batch_size_per_card: 4, shuffle: true, num_workers: 0}
Eval:
  dataset:
    data_dir: DATA
    label_file_list: [DATA/train.txt]
    transforms:
      - DecodeImage: {img_mode: BGR}
      - DetResizeForTest: {limit_side_len: 96, limit_type: max}
      - NormalizeImage: {}
  loader: {batch_size_per_card: 1, num_workers: 0}
"""


def rec_config(folder: Path, epochs: int, *overrides: str, run: str = "run") -> RunConfig:
    """Eight crops of two digits, five batches an epoch, and a network of a hundred thousand parameters."""
    data = folder / "data"
    if not data.exists():
        data.mkdir()
        rng = np.random.default_rng(3)
        texts = ["".join(rng.choice(list(DIGITS), 2)) for _ in range(8)]
        for i, text in enumerate(texts):
            image = np.full((32, 48, 3), 230, np.uint8)
            cv2.putText(image, text, (4, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (20, 30, 40), 2)
            cv2.imwrite(str(data / f"{i}.png"), image)
        (data / "train.txt").write_text("".join(f"{i}.png\t{text}\n" for i, text in enumerate(texts)))
        (data / "dictionary.txt").write_text("\n".join(DIGITS) + "\n")
    dictionary = f", character_dict_path: {data / 'dictionary.txt'}"
    return _load(folder, _REC, epochs, dictionary, overrides, run)


def det_config(folder: Path, epochs: int, *overrides: str, run: str = "run") -> RunConfig:
    """Three pages with a word each, and a blank one; five batches an epoch."""
    data = folder / "data"
    if not data.exists():
        data.mkdir()
        lines = []
        for i in range(4):
            image = np.full((96, 96, 3), 225, np.uint8)
            instances = []
            if i < 3:
                x, y = 4 + 4 * i, 20 + 12 * i
                cv2.putText(image, "WWW", (x, y + 30), cv2.FONT_HERSHEY_SIMPLEX, 1.1, (10, 10, 60), 6)
                box = [[x - 2, y], [x + 78, y], [x + 78, y + 36], [x - 2, y + 36]]
                instances.append({"transcription": "WWW", "points": box})
            cv2.imwrite(str(data / f"{i}.png"), image)
            lines.append(f"{i}.png\t{json.dumps(instances)}\n")
        (data / "train.txt").write_text("".join(lines))
    return _load(folder, _DET, epochs, "", overrides, run)


def _load(folder: Path, body: str, epochs: int, more: str, overrides: tuple[str, ...], run: str) -> RunConfig:
    path = folder / f"{run}.yml"
    head = _GLOBAL.format(epochs=epochs, folder=folder / run, more=more)
    path.write_text(head + _OPTIMIZER + body.replace("DATA", str(folder / "data")))
    return load_config(path, overrides, all_registries()).config
