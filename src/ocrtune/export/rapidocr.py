"""Parameters with which RapidOCR 3.x runs an exported model as ``ocrtune predict`` does.

RapidOCR's own defaults (rapidocr 3.10 ``config.yaml``) are for its own files: detection is normalised with 0.5 / 0.5
instead of the numbers the weights were trained with, pages are enlarged to 736 pixels, boxes are dilated and cut at
other thresholds, crops of one batch are padded to the widest. All of that has a parameter, so the exported file keeps
the input that every other PP-OCR runtime expects, and ``rapidocr.yaml`` holds the parameters. (The alternative, a file
that undoes RapidOCR's normalisation inside, would be right there alone, wrong everywhere else, and still need the
thresholds.)
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ocrtune.codec.db import DBPostProcess
from ocrtune.codec.image import DetPreprocess, RecPreprocess

FILE_NAME = "rapidocr.yaml"
_HEADER = """\
# RapidOCR >= 3.0 runs this model exactly as `ocrtune predict` does with these parameters:
#
#   import yaml
#   from rapidocr import RapidOCR
#   params = yaml.safe_load(open("{name}"))
#   params |= yaml.safe_load(open("rapidocr.yaml of the {other} model"))   # if you exported one
#   result = RapidOCR(params=params)("image.jpg")
#
# The path of the model is the one it was exported to.
"""
_PAGE = {
    "Global.use_cls": False,  # no direction classifier in front of the recogniser
    "Global.use_preprocess_img": False,  # it shrinks pages above 2000 pixels before everything else
    "Global.use_vertical_padding": False,  # it pads wide pages
}


def detection_params(
    path: Path, preprocess: DetPreprocess, postprocess: DBPostProcess
) -> tuple[dict[str, Any], list[str]]:
    """Parameters for ``RapidOCR(params=...)`` and what they cannot express.

    RapidOCR divides by 255 first; another ``scale`` goes into its mean and std.
    """
    factor = 1 / (255 * preprocess.scale)
    params: dict[str, Any] = {
        **_PAGE,
        "Det.model_path": str(path.resolve()),
        "Det.limit_side_len": preprocess.limit_side_len,
        "Det.limit_type": preprocess.limit_type,
        "Det.mean": [value * factor for value in preprocess.mean],
        "Det.std": [value * factor for value in preprocess.std],
        "Det.thresh": postprocess.thresh,
        "Det.box_thresh": postprocess.box_thresh,
        "Det.max_candidates": postprocess.max_candidates,
        "Det.unclip_ratio": postprocess.unclip_ratio,
        "Det.use_dilation": postprocess.use_dilation,
        "Det.score_mode": postprocess.score_mode,
    }
    return params, _detection_notes(preprocess, postprocess)


def recognition_params(path: Path, preprocess: RecPreprocess, drop_score: float = 0.5) -> dict[str, Any]:
    """Parameters for ``RapidOCR(params=...)``; one crop per batch, because padding to a neighbour changes texts."""
    return {
        **_PAGE,
        "Global.text_score": drop_score,
        "Rec.model_path": str(path.resolve()),
        "Rec.rec_img_shape": list(preprocess.image_shape),
        "Rec.rec_batch_num": 1,
    }


def write_params(path: Path, params: Mapping[str, Any]) -> None:
    """Write ``rapidocr.yaml``. OSError when it cannot be written."""
    other = "recognition" if "Det.model_path" in params else "detection"
    body = yaml.safe_dump(dict(params), sort_keys=False, allow_unicode=True)
    path.write_text(_HEADER.format(name=path.name, other=other) + body, encoding="utf-8")


def _detection_notes(preprocess: DetPreprocess, postprocess: DBPostProcess) -> list[str]:
    notes = []
    if (
        preprocess.image_shape is not None
        or preprocess.resize_long is not None
        or preprocess.limit_type
        not in (
            "max",
            "min",
        )
    ):
        notes.append("RapidOCR scales pages by their longer or shorter side only: its boxes will differ")
    if postprocess.box_type != "quad":
        notes.append("RapidOCR draws quadrilaterals only: curved texts will differ")
    return notes
