"""``ocrtune predict``: detect and read the text of images, with the parameter names of PaddleOCR's guide."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ocrtune.inference.predict import PredictSummary

_MODEL = "ONNX file, folder that 'ocrtune export' wrote, or catalogue name"
_CARD = "default: what the model was exported with"


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """``predict --input FILE_OR_DIR --output DIR [--det MODEL] [--rec MODEL] [...]``."""
    parser = commands.add_parser("predict", help="find and read the text of images")
    parser.add_argument("--input", required=True, type=Path, metavar="FILE_OR_DIR", help="an image or a folder of them")
    parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="gets predictions.jsonl and pictures")
    parser.add_argument("--det", metavar="MODEL", help=f"detection: {_MODEL}; default PP-OCRv6_small_det")
    parser.add_argument("--rec", metavar="MODEL", help=f"recognition: {_MODEL}; default PP-OCRv6_small_rec")
    _add_detection(parser.add_argument_group("detection"))
    _add_recognition(parser.add_argument_group("recognition"))
    other = parser.add_argument_group("other")
    other.add_argument("--engine", choices=("onnxruntime", "openvino"), default="onnxruntime")
    other.add_argument("--threads", type=int, metavar="N", help="default: one per core")
    other.add_argument("--no_pictures", action="store_true", help="write predictions.jsonl only")
    other.add_argument("--font", type=Path, metavar="FILE", help="font for the texts in the pictures")
    parser.set_defaults(run=_run)


def _add_detection(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--det_limit_side_len", type=int, metavar="PIXELS", help=f"scale of detection; {_CARD}")
    group.add_argument(
        "--det_limit_type",
        choices=("max", "min", "resize_long"),
        help="max: scale down so that the longer side is at most det_limit_side_len; min: scale up so that the "
        f"shorter side is at least that, for small text; {_CARD}",
    )
    group.add_argument(
        "--det_db_thresh", type=float, metavar="0..1", help=f"pixels with a higher probability are text; {_CARD}"
    )
    group.add_argument(
        "--det_db_box_thresh",
        type=float,
        metavar="0..1",
        help=f"boxes with a lower mean probability are dropped; {_CARD}",
    )
    group.add_argument(
        "--det_db_unclip_ratio", type=float, metavar="RATIO", help=f"how far boxes are grown; larger is larger; {_CARD}"
    )
    group.add_argument(
        "--use_dilation",
        type=_boolean,
        nargs="?",
        const=True,
        metavar="BOOL",
        help=f"thicken the text mask by a pixel before boxes are drawn; {_CARD}",
    )
    group.add_argument(
        "--det_db_score_mode",
        choices=("fast", "slow"),
        help=f"a box's probability: mean of its rotated rectangle (fast) or of its exact outline (slow); {_CARD}",
    )


def _add_recognition(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--max_batch_size",
        type=int,
        default=10,
        metavar="N",
        help="most crops that are read in one forward pass (default 10); it changes speed and memory, never the text. "
        "Pages are detected one at a time whatever it says (in PaddleOCR too, where it only sizes TensorRT)",
    )
    group.add_argument(
        "--drop_score",
        type=float,
        default=0.5,
        metavar="0..1",
        help="texts with a lower score are left out (default 0.5)",
    )
    group.add_argument(
        "--keep_tall", action="store_true", help="do not turn crops that are at least 1.5 times as high as wide"
    )
    group.add_argument(
        "--both_ways",
        action="store_true",
        help="read each crop upside down as well and keep the surer text, in twice the time: for lines that may stand "
        "on their head",
    )
    group.add_argument(
        "--language_labels",
        type=Path,
        metavar="FILE",
        help="read with what the texts of this recognition label file say of words, case and punctuation",
    )
    group.add_argument(
        "--language_words",
        type=Path,
        metavar="FILE",
        help="read with a list of words as well; a line is a word, or a word, a tab and its frequency",
    )
    group.add_argument("--rec_image_shape", type=_shape, metavar="3,H,W", help=f"{_CARD}")
    group.add_argument("--rec_char_dict_path", type=Path, metavar="FILE", help="for a model file without dictionary")
    group.add_argument(
        "--use_space_char",
        type=_boolean,
        metavar="BOOL",
        help="whether a space follows that dictionary; default: as fits",
    )


def _run(arguments: argparse.Namespace) -> int:
    from ocrtune.inference.options import PredictOptions
    from ocrtune.inference.predict import predict

    options = PredictOptions(
        det_db_thresh=arguments.det_db_thresh,
        det_db_box_thresh=arguments.det_db_box_thresh,
        det_db_unclip_ratio=arguments.det_db_unclip_ratio,
        use_dilation=arguments.use_dilation,
        det_db_score_mode=arguments.det_db_score_mode,
        det_limit_side_len=arguments.det_limit_side_len,
        det_limit_type=arguments.det_limit_type,
        max_batch_size=arguments.max_batch_size,
        rec_image_shape=arguments.rec_image_shape,
        rec_char_dict_path=arguments.rec_char_dict_path,
        use_space_char=arguments.use_space_char,
        drop_score=arguments.drop_score,
        turn_tall=not arguments.keep_tall,
        both_ways=arguments.both_ways,
        language_labels=arguments.language_labels,
        language_words=arguments.language_words,
        engine=arguments.engine,
        threads=arguments.threads,
        pictures=not arguments.no_pictures,
        font_path=arguments.font,
    )
    return _print(predict(arguments.input, arguments.output, arguments.det, arguments.rec, options))


def _print(summary: PredictSummary) -> int:
    """The summary on stdout; exit code 1 when an image failed."""
    print(f"detection    {summary.det}\nrecognition  {summary.rec}")
    rate = summary.images / summary.seconds if summary.seconds else 0.0
    print(f"{summary.lines} texts on {summary.images} images in {summary.seconds:.1f} s ({rate:.1f} images/s)")
    print(f"texts        {summary.predictions}")
    if summary.pictures is not None:
        print(f"pictures     {summary.pictures}")
    if summary.missing_glyphs:
        print(f"note: no font here shows {summary.missing_glyphs}; the pictures have boxes there", file=sys.stderr)
    for problem in summary.problems:
        print(f"error: {problem}", file=sys.stderr)
    return 1 if summary.problems else 0


def _boolean(text: str) -> bool:
    if text.lower() in ("true", "1", "yes"):
        return True
    if text.lower() in ("false", "0", "no"):
        return False
    raise argparse.ArgumentTypeError(f"'{text}' is neither true nor false")


def _shape(text: str) -> tuple[int, int, int]:
    parts = text.split(",")
    if len(parts) != 3 or not all(part.strip().isdigit() for part in parts):
        raise argparse.ArgumentTypeError(f"'{text}' is not three whole numbers, such as 3,48,320")
    return int(parts[0]), int(parts[1]), int(parts[2])
