"""Label files: what is read, and how each fault is reported."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ocrtune.core.errors import DataError
from ocrtune.data.formats import paddle_det, paddle_rec

Write = Callable[[str, bytes], Path]
GOOD_BOX = [[1, 2], [30, 2], [30, 9], [1, 9]]


def det_line(points: object, text: object = "word") -> bytes:
    return b"page0.png\t" + json.dumps([{"transcription": text, "points": points}]).encode() + b"\n"


def test_detection_labels(det_set: Path) -> None:
    samples = paddle_det.read_labels(det_set, det_set.parent)
    assert [sample.source for sample in samples] == [f"{det_set}:{i}" for i in range(1, 7)]
    assert samples[0].image_path == det_set.parent / "page0.png"
    assert samples[0].text is None
    assert [instance.text for instance in samples[1].instances] == ["first", "###"]
    assert [instance.ignore for instance in samples[1].instances] == [False, True]
    np.testing.assert_array_equal(samples[0].instances[1].polygon, [[120, 70], [180, 70], [180, 95], [120, 95]])
    assert samples[5].instances == ()


def test_polygons_keep_their_number_of_points(det_set: Path, write: Write) -> None:
    curved = [[0, 0], [5, 1], [9, 0], [9, 5], [5, 6], [0, 5]]
    samples = paddle_det.read_labels(write("a.txt", det_line(curved, "*")), det_set.parent)
    assert samples[0].instances[0].polygon.shape == (6, 2)
    assert samples[0].instances[0].ignore


def test_windows_line_ends_and_byte_order_mark(rec_set: Path, write: Write) -> None:
    path = write("bom.txt", b"\xef\xbb\xbfcrop0.png\tA 1 \r\ncrop1.png\tB\r\n\r\n")
    samples = paddle_rec.read_labels(path, rec_set.parent)
    assert [sample.text for sample in samples] == ["A 1 ", "B"]
    assert [sample.source for sample in samples] == [f"{path}:1", f"{path}:2"]


def test_list_of_images(rec_set: Path, write: Write) -> None:
    path = write("list.txt", b'["crop0.png", "crop1.png"]\tAB\n')
    [sample] = paddle_rec.read_labels(path, rec_set.parent)
    assert sample.image_path.name == "crop0.png"
    assert [image.name for image in sample.alternatives] == ["crop1.png"]


def test_width_and_height_columns_are_dropped(rec_set: Path, write: Write) -> None:
    [sample] = paddle_rec.read_labels(write("wh.txt", b"crop0.png\tAB\t40\t32\n"), rec_set.parent)
    assert sample.text == "AB"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"crop0.png A1\n", "no tab between image and label: 'crop0.png A1'. write: path, tab, label"),
        (b"crop0.png\t\n", "the text is empty. remove the line or write its text"),
        (b"crop0.png\tA\tB\n", "3 columns, expected 2 (path, text). the text must not contain the delimiter"),
        (b"lost.png\tA\n", "no such image: {folder}/lost.png. paths start from data_dir"),
        (b'["crop0.png", 3]\tA\n', 'the list of images is not JSON text such as ["1.jpg", "2.jpg"]'),
    ],
)
def test_bad_recognition_line(rec_set: Path, write: Write, line: bytes, message: str) -> None:
    path = write("bad.txt", b"crop0.png\tA\n" + line)
    with pytest.raises(DataError) as caught:
        paddle_rec.read_labels(path, rec_set.parent)
    assert str(caught.value).startswith(f"{path}:2: {message.format(folder=rec_set.parent)}")
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"page0.png\t[{]\n", ": the label is not valid JSON (Expecting property name"),
        (b"page0.png\t{}\n", ": the label must be a JSON list. write [] for a page without text"),
        (b'page0.png\t[{"points": []}]\n', ' text 1: expected {"transcription": ..., "points": [[x, y], ...]}'),
        (det_line(GOOD_BOX[:2]), " text 1: the polygon has 2 points, expected at least 3"),
        (
            det_line([[0, 0], [1, 1], [float("nan"), 1]]),
            " text 1: the points are [[0, 0], [1, 1], [nan, 1]], expected finite",
        ),
        (det_line([[0, 0], [1], [2, 2]]), " text 1: the points are [[0, 0], [1], [2, 2]], expected [[x, y], ...]"),
        (det_line("box"), " text 1: the points are 'box', expected [[x, y], ...]"),
        (det_line(GOOD_BOX, 7), " text 1: the transcription is 7, expected text"),
    ],
)
def test_bad_detection_line(det_set: Path, write: Write, line: bytes, message: str) -> None:
    path = write("bad.txt", line)
    with pytest.raises(DataError) as caught:
        paddle_det.read_labels(path, det_set.parent)
    assert str(caught.value).startswith(f"{path}:1{message}")


def test_every_bad_line_is_reported_once(rec_set: Path, write: Write) -> None:
    path = write("bad.txt", b"crop0.png A\ncrop1.png\t\nlost.png\tB\ncrop2.png\tC\n")
    with pytest.raises(DataError) as caught:
        paddle_rec.read_labels(path, rec_set.parent)
    assert [str(problem).split(": ")[0] for problem in caught.value.problems] == [f"{path}:{i}" for i in (1, 2, 3)]


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "the label file is empty"), (b"\n \n", "the label file is empty"), (b"a\tb\n\xff\tc\n", "is not UTF-8")],
)
def test_unusable_label_file(write: Write, content: bytes, message: str) -> None:
    path = write("bad.txt", content)
    with pytest.raises(DataError, match=message) as caught:
        paddle_rec.read_labels(path, path.parent)
    assert len(caught.value.problems) == 1


def test_missing_label_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read the label file \(No such file or directory\)"):
        paddle_det.read_labels(tmp_path / "none.txt", tmp_path)
