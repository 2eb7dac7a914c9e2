"""Public data sets -> PaddleOCR label files, for mixing general data with one's own."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2

from ocrtune.codec.crop import crop_polygon, crop_quad
from ocrtune.core.errors import DataError, Problem
from ocrtune.core.files import write_whole
from ocrtune.core.records import Image, Sample, TextInstance
from ocrtune.data.image_file import read_image
from ocrtune.data.public import lsvt, text_files
from ocrtune.data.public.images import ImageIndex

READERS: dict[str, Callable[[Path, ImageIndex], list[Sample]]] = {"lsvt": lsvt.read, **text_files.READERS}
Progress = Callable[[Sequence[Sample]], Iterable[Sample]]
_QUALITY = [cv2.IMWRITE_JPEG_QUALITY, 95]
_IGNORED = "###"


@dataclass(frozen=True)
class Converted:
    """pages, texts: of the detection labels, ``ignored`` ones among the texts. missing: labels without an image, left
    out. lines: recognition crops written. files: label files written."""

    pages: int
    texts: int
    ignored: int
    missing: int
    lines: int
    files: tuple[Path, ...]


def convert(
    form: str,
    labels: Path,
    images: Path,
    output: Path,
    *,
    crops: bool,
    skip_missing: bool,
    progress: Progress = iter,
) -> Converted:
    """Read a public data set and write ``output/det.txt``; with ``crops`` also ``output/rec.txt`` and the crops of its
    legible texts in ``output/crops``. Paths in both files are absolute, so that they mix with any ``data_dir``.

    form: a key of READERS. labels: LSVT's JSON file, or the folder of text files. images: searched with its subfolders.
    progress: hands on the pages whose texts are cut out, one by one.
    Raises one DataError with everything that cannot be understood; nothing is written then. With ``crops`` an image
    that cannot be read is a DataError too, after ``det.txt`` was written.
    """
    index = ImageIndex(images, skip_missing)
    samples = READERS[form](labels, index)
    if not samples:
        raise DataError(Problem(str(labels), f"none of its {index.missing} labels has an image in {images}"))
    output.mkdir(parents=True, exist_ok=True)
    files = [_write(output / "det.txt", [f"{sample.image_path}\t{_label(sample)}" for sample in samples])]
    lines: list[str] = []
    if crops:
        lines = _write_crops(progress(samples), output.absolute() / "crops")
        files.append(_write(output / "rec.txt", lines))
    texts = [text for sample in samples for text in sample.instances]
    ignored = sum(text.ignore for text in texts)
    return Converted(len(samples), len(texts), ignored, index.missing, len(lines), tuple(files))


def _label(sample: Sample) -> str:
    texts = [
        {"transcription": _IGNORED if text.ignore else text.text, "points": _points(text)} for text in sample.instances
    ]
    return json.dumps(texts, ensure_ascii=False)


def _points(text: TextInstance) -> list[list[float]]:
    return [[round(float(x), 2), round(float(y), 2)] for x, y in text.polygon]


def _write(path: Path, lines: Sequence[str]) -> Path:
    write_whole(path, "".join(f"{line}\n" for line in lines).encode())
    return path


def _write_crops(samples: Iterable[Sample], folder: Path) -> list[str]:
    """Label lines of every legible text; its crop is upright, tall ones turned as prediction turns them."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    numbers: Counter[str] = Counter()  # a.jpg and a.png share theirs
    for sample in samples:
        legible = [text for text in sample.instances if not text.ignore and text.text.strip()]
        page = read_image(sample.image_path, sample.source) if legible else None
        for text in legible:
            assert page is not None
            stem = sample.image_path.stem
            path = folder / f"{stem}_{numbers[stem]}.jpg"
            numbers[stem] += 1
            _, encoded = cv2.imencode(".jpg", _crop(page, text), _QUALITY)
            path.write_bytes(encoded.tobytes())
            lines.append(f"{path}\t{' '.join(text.text.split())}")
    return lines


def _crop(page: Image, text: TextInstance) -> Image:
    if len(text.polygon) == 4:
        return crop_quad(page, text.polygon)
    return crop_polygon(page, text.polygon)
