"""The real rapidocr package, given our parameters, reads what our pipeline reads.

Both run the default weights. Ours: ``ocrtune.inference``; theirs: ``RapidOCR(params=...)`` with the parameters that
``ocrtune export`` writes (``ocrtune.export.rapidocr``). Without parameters RapidOCR normalises and thresholds pages in
its own way and pads six crops to the widest; the last test shows that this changes the result, so that the parameters
are not decoration.

Number of images: OCRTUNE_PARITY_IMAGES (default 12; 50 in the full run, half of each data set).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
import rapidocr

from ocrtune.core.records import Image, PageText
from ocrtune.export.rapidocr import detection_params, recognition_params
from ocrtune.inference import Pipeline, PredictOptions, open_detector, open_recogniser, read_image

pytestmark = pytest.mark.parity

IMAGES = int(os.environ.get("OCRTUNE_PARITY_IMAGES", "12"))
OPTIONS = PredictOptions(threads=1)


@dataclass(eq=False)
class Line:
    """A text of either side. corners: (4, 2) pixels."""

    text: str
    corners: np.ndarray


@pytest.fixture(scope="module")
def ours() -> Pipeline:
    return Pipeline(open_detector(None, OPTIONS), open_recogniser(None, OPTIONS))


@pytest.fixture(scope="module")
def theirs(ours):
    return _rapidocr(ours)


def _rapidocr(ours: Pipeline, **changed):
    detector, recogniser = ours.detector, ours.recogniser
    params, notes = detection_params(detector.session.path, detector.preprocess, detector.postprocess)
    assert notes == []
    params |= recognition_params(recogniser.session.path, recogniser.preprocess, ours.drop_score)
    threads = {"EngineConfig.onnxruntime.intra_op_num_threads": 1, "Global.log_level": "error"}
    return rapidocr.RapidOCR(params={**params, **threads, **changed})


def _read(engine, image: Image) -> list[Line]:
    answer = engine(image)
    if answer.boxes is None:
        return []
    return [Line(text, np.asarray(box)) for text, box in zip(answer.txts, answer.boxes, strict=True)]


def _matched(mine: list[PageText], other: list[Line]) -> tuple[int, int, list[str]]:
    """(identical lines, lines of either side, what differs): same text, corners up to a pixel apart."""
    left = list(other)
    identical, differing = 0, []
    for item in mine:
        near = [line for line in left if np.abs(line.corners - item.polygon).max() <= 1]
        same = next((line for line in near if line.text == item.text), None)
        if same is None:
            differing.append(f"ours only: {item.text!r} ({item.score:.3f}) at {item.polygon.tolist()}")
        else:
            identical += 1
            left.remove(same)
    differing += [f"RapidOCR only: {line.text!r} at {line.corners.tolist()}" for line in left]
    return identical, identical + len(differing), differing


def _share(ours: Pipeline, engine, pages: list[tuple[str, Image]]) -> tuple[float, int, list[str]]:
    identical, total, differing = 0, 0, []
    for name, image in pages:
        same, lines, differences = _matched(ours(image), _read(engine, image))
        identical, total = identical + same, total + lines
        differing += [f"{name}: {difference}" for difference in differences]
    print(f"\n{len(pages)} pages: {identical} of {total} lines identical", *differing, sep="\n")
    return identical / max(total, 1), total, differing


def real_pages(folder: Path, count: int) -> list[tuple[str, Image]]:
    lines = (folder / "test.txt").read_text(encoding="utf-8").splitlines()
    names = [line.split("\t")[0] for line in lines]
    step = max(1, len(names) // count)
    return [(name, read_image(folder / name)) for name in names[::step][:count]]


def drawn_page(seed: int, size: tuple[int, int] = (480, 800)) -> Image:
    """Words of different sizes and slants on a grey page."""
    rng = np.random.default_rng(seed)
    image = np.full((*size, 3), 225, np.uint8)
    words = ["METER 42", "kWh", "2P24", "Total 1,280.50", "No. 7", "x"]
    for row, word in enumerate(words):
        scale = float(rng.uniform(0.9, 2.2))
        place = (int(rng.integers(10, size[1] // 2)), 60 + row * (size[0] - 60) // len(words))
        cv2.putText(image, word, place, cv2.FONT_HERSHEY_DUPLEX, scale, (20, 20, 20), 2, cv2.LINE_AA)
    turn = cv2.getRotationMatrix2D((size[1] / 2, size[0] / 2), float(rng.uniform(-6, 6)), 1)
    return np.asarray(cv2.warpAffine(image, turn, size[::-1], borderMode=cv2.BORDER_REPLICATE), np.uint8)


@pytest.mark.parametrize("dataset", ["wire_markers", "icdar2015"])
def test_real_pages_read_the_same(ours, theirs, shared, dataset):
    share, total, differing = _share(ours, theirs, real_pages(shared / "data" / dataset, IMAGES // 2))
    assert total >= IMAGES // 4
    assert share >= 0.98, "\n".join(differing)


def test_drawn_pages_read_the_same(ours, theirs):
    pages = [(f"drawn {seed}", drawn_page(seed)) for seed in range(3)]
    pages.append(("large", drawn_page(7, (1500, 2500))))
    share, total, differing = _share(ours, theirs, pages)
    assert total >= 12
    assert share == 1.0, "\n".join(differing)


def test_without_the_parameters_rapidocr_reads_otherwise(ours):
    paths = {
        "Det.model_path": str(ours.detector.session.path),
        "Rec.model_path": str(ours.recogniser.session.path),
        "Global.log_level": "error",
        "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    }
    engine = rapidocr.RapidOCR(params=paths)
    share, _, _ = _share(ours, engine, [(f"drawn {seed}", drawn_page(seed)) for seed in range(2)])
    assert share < 0.9
