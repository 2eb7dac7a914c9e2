"""Predict a file or a folder: JSON lines, pictures and a summary."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import cv2
from tqdm import tqdm

from ocrtune.core.errors import DataError, ExportError, Problem
from ocrtune.core.records import Image, PageText
from ocrtune.inference.draw import draw_page
from ocrtune.inference.fonts import TextFont
from ocrtune.inference.images import list_images, read_image
from ocrtune.inference.models import open_detector, open_recogniser
from ocrtune.inference.options import PredictOptions
from ocrtune.inference.pipeline import Pipeline

PREDICTIONS = "predictions.jsonl"
PICTURES = "pictures"


@dataclass(frozen=True)
class PredictSummary:
    """What :func:`predict` did.

    images: files found. lines: texts kept. problems: the images that could not be read or predicted; they have a line
        with an ``error`` in the JSON lines, and a command should end with exit code 1 when there are any.
    missing_glyphs: recognised characters that no font on this machine shows; the pictures have empty boxes there.
    seconds: reading, detection, recognition and drawing, without loading the models.
    """

    images: int
    lines: int
    predictions: Path
    pictures: Path | None
    problems: tuple[Problem, ...]
    missing_glyphs: str
    seconds: float
    det: str
    rec: str


def predict(
    source: Path | str,
    output: Path | str,
    det: Path | str | None = None,
    rec: Path | str | None = None,
    options: PredictOptions | None = None,
) -> PredictSummary:
    """Detect and read every image of ``source`` (a file, or a folder with its sub-folders, in sorted order).

    det, rec: see :mod:`ocrtune.inference.models`; None: the default weights.

    ``output/predictions.jsonl`` gets one line per image, written as soon as it is done::

        {"image": "a/b.jpg", "width": 640, "height": 480, "items": [{"transcription": "2P24",
         "points": [[x, y], ...], "score": 0.98, "detection_score": 0.91}]}

    ``transcription`` and ``points`` are those of a PaddleOCR label, clockwise from the top left, in pixels of the
    upright image. ``output/pictures`` gets one picture per image, under the same relative name.

    An unreadable image does not stop the others: see ``PredictSummary.problems``. Raises DataError when there is no
    image, WeightsError or ConfigError for the models and options, ExportError when ``output`` cannot be written.
    """
    options = options or PredictOptions()
    source, output = Path(source), Path(output)
    paths = list_images(source, exclude=output)
    pipeline = Pipeline(
        open_detector(det, options), open_recogniser(rec, options), options.drop_score, options.turn_tall
    )
    root = source if source.is_dir() else source.parent
    with _open_output(output) as stream:
        run = _Run(pipeline, output / PICTURES if options.pictures else None, options.font_path, stream)
        started = time.perf_counter()
        # None: no bar where stderr is no terminal
        for path in tqdm(paths, desc="predict", unit="image", disable=True if len(paths) == 1 else None):
            run.one(path, str(path.relative_to(root).as_posix()))
    return PredictSummary(
        images=len(paths),
        lines=run.lines,
        predictions=output / PREDICTIONS,
        pictures=run.pictures,
        problems=tuple(run.problems),
        missing_glyphs="".join(sorted(run.missing_glyphs)),
        seconds=time.perf_counter() - started,
        det=str(pipeline.detector.session.path),
        rec=str(pipeline.recogniser.session.path),
    )


class _Run:
    """The state of one :func:`predict`."""

    def __init__(self, pipeline: Pipeline, pictures: Path | None, font: Path | None, stream: TextIO):
        self.pipeline, self.pictures, self.font, self.stream = pipeline, pictures, font, stream
        self.lines = 0
        self.problems: list[Problem] = []
        self.missing_glyphs: set[str] = set()

    def one(self, path: Path, name: str) -> None:
        """Predict one image; a problem with it is written and kept, not raised."""
        try:
            image = read_image(path)
            items = self.pipeline(image)
        except DataError as error:
            self.problems += [Problem(str(path), _what(problem, path)) for problem in error.problems]
            self._write({"image": name, "error": "; ".join(_what(problem, path) for problem in error.problems)})
            return
        self.lines += len(items)
        self._write(page_record(name, image, items))
        if self.pictures is not None:
            self.missing_glyphs |= set(TextFont([item.text for item in items], self.font).missing)
            _write_picture(self.pictures / _picture_name(name), draw_page(image, items, self.font))

    def _write(self, record: dict[str, Any]) -> None:
        self.stream.write(json.dumps(record, ensure_ascii=False) + "\n")
        self.stream.flush()


def page_record(name: str, image: Image, items: Sequence[PageText]) -> dict[str, Any]:
    """One line of ``predictions.jsonl``."""
    return {
        "image": name,
        "width": image.shape[1],
        "height": image.shape[0],
        "items": [
            {
                "transcription": item.text,
                "points": [[round(float(x), 2), round(float(y), 2)] for x, y in item.polygon],
                "score": round(item.score, 5),
                "detection_score": round(item.detection_score, 5),
            }
            for item in items
        ],
    }


def _open_output(output: Path) -> TextIO:
    try:
        output.mkdir(parents=True, exist_ok=True)
        return (output / PREDICTIONS).open("w", encoding="utf-8", newline="\n")
    except OSError as error:
        raise ExportError(
            Problem(str(output), f"cannot be written ({error.strerror})", "name another --output")
        ) from error


def _write_picture(path: Path, picture: Image) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(path.suffix, picture)[1].tobytes())
    except OSError as error:
        raise ExportError(Problem(str(path), f"cannot be written ({error.strerror})")) from error


def _picture_name(name: str) -> str:
    return name if Path(name).suffix.lower() in {".jpg", ".jpeg", ".png"} else f"{name}.jpg"


def _what(problem: Problem | str, path: Path) -> str:
    if isinstance(problem, str):
        return problem
    prefix = "" if problem.where in {str(path), "image"} else f"{problem.where}: "
    return prefix + problem.what + (f". {problem.fix}" if problem.fix else "")
