"""Photos, crops and label files in PaddleOCR's forms, one split at a time."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from meters.front import Text
from meters.photo import Photo, draw_photo
from ocrtune.codec.crop import crop_quad
from ocrtune.core.geometry import quad_size
from ocrtune.core.records import Image

_VALUE_SHARE = 0.7  # of the crops; the rest is print, which a model tuned on digits alone forgets
_SMALLEST_PRINT = 9  # pixels; smaller print is labelled for detection and not cropped for recognition
_LOOSE = 0.06  # of the height: how far a crop's corner may lie from the label's, as a detector's do


@dataclass(frozen=True)
class Split:
    """name: of its files. first_seed: of its photos; splits must not overlap. photos: how many.

    pages: the photos in the detection label file, from the first; None means all.
    """

    name: str
    first_seed: int
    photos: int
    pages: int | None = None


def write_split(folder: Path, split: Split) -> tuple[int, int]:
    """Draw a split into ``folder``: ``images/``, ``crops/``, ``det_NAME.txt``, ``rec_NAME.txt``.

    Most crops are displays (``_VALUE_SHARE``), the rest is print. Returns the lines of the two label files.
    """
    rng = np.random.default_rng(split.first_seed)
    pages, crops = [], []
    for kind in ("images", "crops"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for i in tqdm(range(split.photos), desc=f"drawing {split.name}", unit="photo"):
        photo = draw_photo(split.first_seed + i)
        path = f"images/{split.name}_{i:04d}.jpg"
        image = write_photo(folder / path, photo)
        pages.append(f"{path}\t{json.dumps(detection_label(photo), ensure_ascii=False)}\n")
        for k, text in enumerate(_for_recognition(photo, rng)):
            crop = f"crops/{split.name}_{i:04d}_{k}.png"
            cv2.imwrite(str(folder / crop), crop_quad(image, _loosened(text, rng)))
            crops.append(f"{crop}\t{text.text}\n")
    pages = pages[: split.pages]
    (folder / f"det_{split.name}.txt").write_text("".join(pages), encoding="utf-8", newline="\n")
    (folder / f"rec_{split.name}.txt").write_text("".join(crops), encoding="utf-8", newline="\n")
    return len(pages), len(crops)


def write_photo(path: Path, photo: Photo) -> Image:
    """Save a photo as JPEG; the image as anybody reads it back."""
    data = cv2.imencode(".jpg", photo.image, [cv2.IMWRITE_JPEG_QUALITY, photo.jpeg_quality])[1]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.tobytes())
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def detection_label(photo: Photo) -> list[dict[str, object]]:
    """PaddleOCR's list of one page: every text with its four corners, rounded to a tenth of a pixel."""
    return [
        {"transcription": text.text, "points": [[round(float(x), 1), round(float(y), 1)] for x, y in text.quad]}
        for text in photo.texts
    ]


def _for_recognition(photo: Photo, rng: np.random.Generator) -> list[Text]:
    """All displays, and so much of the legible print as keeps displays at ``_VALUE_SHARE``."""
    values = [text for text in photo.texts if text.value]
    prints = [text for text in photo.texts if not text.value and quad_size(text.quad)[1] >= _SMALLEST_PRINT]
    wanted = len(values) * (1 / _VALUE_SHARE - 1)
    count = min(int(wanted) + int(rng.random() < wanted % 1), len(prints))
    return values + [prints[i] for i in rng.choice(len(prints), count, replace=False)]


def _loosened(text: Text, rng: np.random.Generator) -> np.ndarray:
    shift = rng.uniform(-_LOOSE, _LOOSE, (4, 2)) * quad_size(text.quad)[1]
    return np.asarray(text.quad + shift, np.float32)
