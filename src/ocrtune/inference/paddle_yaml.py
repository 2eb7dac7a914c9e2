"""Reading ``inference.yml``, which PaddleOCR and PaddleX put beside an exported model.

Layout: PaddleOCR ppocr/utils/export_model.py ``dump_infer_config`` at 79f652f5: the transforms of the Eval section
under ``PreProcess.transform_ops``, the ``PostProcess`` section, and the dictionary's lines as its ``character_dict``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ocrtune.core.errors import Problem, WeightsError

FILE_NAME = "inference.yml"
_DET_KEYS = ("limit_side_len", "limit_type", "image_shape", "keep_ratio", "resize_long")
_DB_KEYS = ("thresh", "box_thresh", "unclip_ratio", "max_candidates", "use_dilation", "score_mode", "box_type")


@dataclass(frozen=True)
class InferenceYaml:
    """What the file says, in the vocabulary of the codec dataclasses' ``to_dict``; empty where it says nothing.

    characters: the dictionary's lines, without blank and space; None for detection.
    """

    preprocess: Mapping[str, Any] = field(default_factory=dict)
    postprocess: Mapping[str, Any] = field(default_factory=dict)
    characters: tuple[str, ...] | None = None


def read_inference_yaml(path: Path) -> InferenceYaml:
    """Read one ``inference.yml``. WeightsError when it is not YAML or not laid out like one."""
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        operations = _merge(raw["PreProcess"]["transform_ops"])
        post = dict(raw["PostProcess"])
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        what = "is not a Paddle inference.yml (PreProcess.transform_ops, PostProcess)"
        raise WeightsError(Problem(str(path), what, "move it away or export the model again")) from error
    lines = post.get("character_dict")
    characters = tuple(str(line) for line in lines) if isinstance(lines, list) else None
    if "RecResizeImg" in operations:
        shape = operations["RecResizeImg"].get("image_shape")
        return InferenceYaml({"image_shape": shape} if shape else {}, {}, characters)
    return InferenceYaml(_detection(operations), {key: post[key] for key in _DB_KEYS if key in post}, characters)


def _merge(operations: list[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    return {name: dict(settings or {}) for operation in operations for name, settings in operation.items()}


def _detection(operations: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """PaddleOCR's DetResizeForTest without any argument means 736, min."""
    resize = operations.get("DetResizeForTest", {})
    size = {key: resize[key] for key in _DET_KEYS if resize.get(key) is not None}
    settings = size or {"limit_side_len": 736, "limit_type": "min"}
    if "limit_side_len" in settings:
        settings.setdefault("limit_type", "min")
    normalise = operations.get("NormalizeImage", {})
    for key in ("mean", "std", "scale"):
        if normalise.get(key) is not None:
            settings[key] = normalise[key]
    return settings
