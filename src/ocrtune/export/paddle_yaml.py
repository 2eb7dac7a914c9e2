"""Writing ``inference.yml``, so that PaddleX-like runtimes and people can read how an exported file is used.

Layout: PaddleOCR ppocr/utils/export_model.py ``dump_infer_config`` at 79f652f5, with the transforms that prediction
needs. Read back by :mod:`ocrtune.inference.paddle_yaml`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from ocrtune.codec.db import DBPostProcess
from ocrtune.codec.image import DetPreprocess, RecPreprocess

_DECODE: dict[str, Any] = {"DecodeImage": {"channel_first": False, "img_mode": "BGR"}}


def write_detection_yaml(path: Path, name: str, preprocess: DetPreprocess, postprocess: DBPostProcess) -> None:
    """``inference.yml`` of a detection model. OSError when it cannot be written."""
    if preprocess.image_shape is not None:
        resize: dict[str, Any] = {
            "image_shape": list(preprocess.image_shape),
            "keep_ratio": preprocess.keep_ratio,
        }
    elif preprocess.resize_long is not None:
        resize = {"resize_long": preprocess.resize_long}
    else:
        resize = {"limit_side_len": preprocess.limit_side_len, "limit_type": preprocess.limit_type}
    normalise = {
        "mean": list(preprocess.mean),
        "std": list(preprocess.std),
        "scale": "1./255." if preprocess.scale == 1 / 255 else preprocess.scale,
        "order": "hwc",
    }
    operations: list[dict[str, Any]] = [
        _DECODE,
        {"DetResizeForTest": resize},
        {"NormalizeImage": normalise},
        {"ToCHWImage": None},
    ]
    settings = postprocess.to_dict()
    settings.pop("min_size")  # PaddleOCR has no key for it
    _write(path, name, operations, {"name": "DBPostProcess", **settings})


def write_recognition_yaml(path: Path, name: str, preprocess: RecPreprocess, characters: Sequence[str]) -> None:
    """``inference.yml`` of a recognition model. OSError when it cannot be written.

    characters: the exported classes without blank, the last one a space; the file lists them without the space,
    because Paddle's runtimes add one.
    """
    operations: list[dict[str, Any]] = [_DECODE, {"RecResizeImg": {"image_shape": list(preprocess.image_shape)}}]
    _write(path, name, operations, {"name": "CTCLabelDecode", "character_dict": list(characters[:-1])})


def _write(path: Path, name: str, operations: list[dict[str, Any]], postprocess: dict[str, Any]) -> None:
    content = {
        "Global": {"model_name": name},
        "PreProcess": {"transform_ops": operations},
        "PostProcess": postprocess,
    }
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
