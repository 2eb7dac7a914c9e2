"""What is found before training starts."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest_data import page
from PIL import Image as PilImage

from ocrtune.core.charset import Charset
from ocrtune.core.errors import DataError
from ocrtune.data.checks.detection import check_detection
from ocrtune.data.checks.recognition import check_recognition
from ocrtune.data.formats import paddle_det, paddle_rec
from ocrtune.data.image_file import find_damage, image_size, read_image
from ocrtune.data.labels import LabelSet
from ocrtune.data.stats import detection_stats, recognition_stats


def det_labels(path: Path) -> LabelSet:
    return LabelSet.of([paddle_det.read_labels(path, path.parent)])


def rec_labels(path: Path, text: str = "") -> LabelSet:
    if text:
        path.write_text(text)
    return LabelSet.of([paddle_rec.read_labels(path, path.parent)])


def test_a_sound_detection_set(det_set: Path) -> None:
    report = check_detection(det_labels(det_set))
    assert report.problems == report.warnings == []
    assert report.counts == {"images": 6, "texts": 8, "ignored texts": 2, "images without text": 1}
    assert report.notes == ["6 images: PaddleOCR's guide advises at least 500 images for detection."]
    assert check_detection(det_labels(det_set), training=False).notes == []
    sizes = report.usable().sizes
    assert sizes is not None
    assert sizes.tolist() == [[200, 120]] * 6


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([[10, 10], [50, 10], [30, 10]], "the polygon has no area"),
        ([[300, 10], [350, 10], [350, 30], [300, 30]], "the polygon lies outside the image (200 x 120)"),
        ([[150, 10], [250, 10], [250, 30], [150, 30]], "the polygon reaches over the edge of the image (200 x 120)"),
    ],
)
def test_polygons_off_the_image(det_set: Path, points: list[list[int]], message: str) -> None:
    det_set.write_text(f"page0.png\t{json.dumps([{'transcription': 'a', 'points': points}])}\n")
    assert [str(w) for w in check_detection(det_labels(det_set)).warnings] == [f"{det_set}:1 text 1: {message}"]


def test_repeated_images_and_polygons(det_set: Path) -> None:
    box = {"transcription": "a", "points": [[10, 10], [50, 10], [50, 30], [10, 30]]}
    det_set.write_text(f"page0.png\t{json.dumps([box, box])}\npage0.png\t[]\n")
    warnings = [str(warning) for warning in check_detection(det_labels(det_set)).warnings]
    assert warnings == [
        f"{det_set}:1 text 2: the same polygon occurs twice",
        f"{det_set}:1: {det_set.parent / 'page0.png'} is on 2 lines",
    ]


def test_damaged_images_are_all_listed(det_set: Path) -> None:
    labels = det_labels(det_set)
    folder = det_set.parent
    whole = (folder / "page1.png").read_bytes()
    (folder / "page1.png").write_bytes(whole[: len(whole) // 2])
    (folder / "page2.png").write_bytes(b"")
    (folder / "page3.png").unlink()
    report = check_detection(labels)
    assert [problem.where for problem in report.problems] == [f"{det_set}:{i}" for i in (2, 3, 4)]
    assert "is damaged" in report.problems[0].what
    with pytest.raises(DataError) as caught:
        report.usable()
    assert len(caught.value.problems) == 3


def test_cut_off_jpeg(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    cv2.imwrite(str(path), page(0, 400, 300))
    assert find_damage(path) == ""
    whole = path.read_bytes()
    path.write_bytes(whole + b"\0" * 200)  # some cameras pad
    assert find_damage(path) == ""
    path.write_bytes(whole[:-500])
    assert "truncated" in find_damage(path)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_sizes_follow_the_orientation(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"turned.{suffix}"
    exif = PilImage.Exif()
    exif[0x0112] = 6
    PilImage.fromarray(page(0, 60, 40)).save(path, exif=exif)
    height, width = read_image(path, "x").shape[:2]
    assert image_size(path, "x") == (width, height)
    assert suffix != "jpg" or (width, height) == (40, 60)
    assert suffix != "jpg" or read_image(path, "x", ignore_orientation=True).shape == (40, 60, 3)


def test_a_sound_recognition_set(rec_set: Path, charset: Charset) -> None:
    report = check_recognition(rec_labels(rec_set), charset, max_text_length=25, max_steps=40)
    assert report.problems == report.warnings == []
    assert report.skipped == {}
    assert report.counts == {"lines": 24, "characters": 68, "different characters": 12}
    assert report.lines()[0] == "24 lines, 68 characters, 12 different characters"
    assert report.lines()[-1] == "24 lines: PaddleOCR's guide advises at least 5,000 lines for recognition."
    assert len(report.usable()) == 24


def test_characters_outside_the_dictionary(rec_set: Path, charset: Charset) -> None:
    labels = rec_labels(rec_set, "crop0.png\tA1\ncrop1.png\tA-B-\ncrop2.png\té-\ncrop3.png\té\n")
    report = check_recognition(labels, charset, max_text_length=25)
    [problem] = report.problems
    assert str(problem).startswith(
        f"{rec_set}:2: characters outside the dictionary: '-' (U+002D) x 3, 'é' (U+00E9) x 2. add them"
    )
    assert report.out_of_dictionary == {"-": 3, "é": 2}
    report = check_recognition(labels, charset, max_text_length=25, drop_out_of_dictionary=True)
    assert report.problems == []
    assert sorted(report.skipped) == [2, 3]
    assert len(report.usable()) == 2
    report = check_recognition(labels, charset, max_text_length=25, training=False)
    assert report.problems == []
    assert report.skipped == {}
    assert len(report.warnings) == 1


def test_texts_that_are_too_long(rec_set: Path, charset: Charset) -> None:
    labels = rec_labels(rec_set, f"crop0.png\t{'AB' * 4}\ncrop1.png\t{'A' * 5}\ncrop2.png\tAB\n")
    report = check_recognition(labels, charset, max_text_length=6, max_steps=8)
    assert {i: problem.what for i, problem in report.skipped.items()} == {
        0: "8 characters, but Global.max_text_length is 6",
        1: "'AAAAA' needs 9 CTC steps, the widest input has 8",
    }
    assert report.lines()[1] == "2 samples left out of training:"
    assert [sample.source for sample in report.usable().samples] == [f"{rec_set}:3"]
    labels = rec_labels(rec_set, "crop0.png\tAAAAAAAAA\n")
    with pytest.raises(DataError, match="no sample is left to train on"):
        check_recognition(labels, charset, max_text_length=6).usable()


def test_statistics(det_set: Path, rec_set: Path) -> None:
    recognition = recognition_stats(rec_labels(rec_set), height=32, step=32)
    assert sum(recognition.widths.values()) == sum(recognition.lengths.values()) == 24
    assert recognition.widths[64] == 4  # 40, 48, 56, 64
    assert recognition.lengths == {2: 12, 3: 4, 4: 8}
    assert recognition.characters["E"] == 8
    assert recognition.rare(5) == {"A": 4, "1": 4, "B": 4, "C": 4, "D": 4, "4": 4, "F": 4, "6": 4}
    detection = detection_stats(det_labels(det_set))
    assert detection.texts.tolist() == [2, 2, 2, 2, 2, 0]
    np.testing.assert_allclose(sorted(set(detection.heights.tolist())), [22, 25])
