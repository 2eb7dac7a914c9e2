"""Public data sets become label files that this library reads."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from ocrtune.cli.main import main
from ocrtune.core.errors import DataError
from ocrtune.core.records import Sample
from ocrtune.data.convert import READERS, convert
from ocrtune.data.formats import paddle_det, paddle_rec


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Two pages in folders of their own; a wide red bar from (10, 20) to (70, 40) on the first."""
    for name in ("part_0/gt_1", "part_1/gt_2"):
        page = np.full((80, 120, 3), 200, np.uint8)
        page[20:40, 10:70] = (0, 0, 255)
        path = tmp_path / "images" / f"{name}.jpg"
        path.parent.mkdir(parents=True)
        cv2.imwrite(str(path), page)
    return tmp_path / "images"


def write_lsvt(folder: Path) -> Path:
    bar = [[10, 20], [70, 20], [70, 40], [10, 40]]
    bent = [[10, 20], [40, 18], [70, 20], [70, 40], [40, 38], [10, 40]]
    texts = {
        "gt_1": [
            {"transcription": "红色", "points": bar, "illegibility": False},
            {"transcription": "bent", "points": bent, "illegibility": False},
            {"transcription": "###", "points": bar, "illegibility": True},
        ],
        "gt_2": [{"transcription": "dim", "points": bar, "illegibility": True}],
    }
    path = folder / "train_full_labels.json"
    path.write_text(json.dumps(texts), encoding="utf-8")
    return path


def write_text_files(folder: Path, first: str, prefix: str = "") -> Path:
    labels = folder / "labels"
    labels.mkdir()
    (labels / f"{prefix}gt_1.txt").write_text(first, encoding="utf-8-sig")
    (labels / f"{prefix}gt_2.txt").write_text("", encoding="utf-8")
    return labels


def test_lsvt(images: Path, tmp_path: Path) -> None:
    done = convert("lsvt", write_lsvt(tmp_path), images, tmp_path / "out", crops=True, skip_missing=False)
    assert (done.pages, done.texts, done.ignored, done.missing, done.lines) == (2, 4, 2, 0, 2)
    first, second = paddle_det.read_labels(tmp_path / "out" / "det.txt", Path("elsewhere"))
    assert [text.text for text in first.instances] == ["红色", "bent", "###"]
    assert [text.ignore for text in first.instances + second.instances] == [False, False, True, True]
    assert [len(text.polygon) for text in first.instances] == [4, 6, 4]
    np.testing.assert_array_equal(first.instances[0].polygon, [[10, 20], [70, 20], [70, 40], [10, 40]])
    assert first.image_path == images / "part_0" / "gt_1.jpg"

    lines = paddle_rec.read_labels(tmp_path / "out" / "rec.txt", Path("elsewhere"))
    assert [line.text for line in lines] == ["红色", "bent"]
    crop = cv2.imread(str(lines[0].image_path))
    assert crop.shape == (20, 60, 3)
    assert np.abs(crop[4:-4, 4:-4].astype(int) - (0, 0, 255)).mean() < 8


@pytest.mark.parametrize(
    ("form", "prefix", "lines", "texts"),
    [
        (
            "rctw",
            "",
            '10,20,70,20,70,40,10,40,0,"one, two"\n10,20,70,20,70,40,10,40,1,"hard"\n\n',
            [("one, two", False), ("###", True)],
        ),
        (
            "mtwi",
            "",
            "10.25,20.5,70,20,70,40,10,40,a,b\n10,20,70,20,70,40,10,40,###\n",
            [("a,b", False), ("###", True)],
        ),
        ("mtwi", "", "10,20,70,20,70,40,10,40,a\u2028b\n", [("a\u2028b", False)]),
        ("icdar2015", "gt_", "10,20,70,20,70,40,10,40,Joint\r\n", [("Joint", False)]),
    ],
)
def test_text_files(
    form: str, prefix: str, lines: str, texts: list[tuple[str, bool]], images: Path, tmp_path: Path
) -> None:
    labels = write_text_files(tmp_path, lines, prefix)
    done = convert(form, labels, images, tmp_path / "out", crops=False, skip_missing=False)
    first, blank = paddle_det.read_labels(tmp_path / "out" / "det.txt", Path("elsewhere"))
    assert [(text.text, text.ignore) for text in first.instances] == texts
    assert blank.instances == ()
    assert (done.pages, done.texts, done.lines) == (2, len(texts), 0)
    assert not (tmp_path / "out" / "rec.txt").exists()
    if "10.25" in lines:
        np.testing.assert_array_equal(first.instances[0].polygon[0], [10.25, 20.5])


@pytest.mark.parametrize(
    ("form", "line", "message"),
    [
        ("rctw", "1,2,3,4,5,6,7,8,text", "gt_1.txt:1: 9 fields, expected 10"),
        ("mtwi", "1,2,3,4,5,6,x,8,text", "gt_1.txt:1: expected at least 3 points x, y, got"),
    ],
)
def test_lines_that_make_no_sense(form: str, line: str, message: str, images: Path, tmp_path: Path) -> None:
    labels = write_text_files(tmp_path, line)
    with pytest.raises(DataError, match=message):
        convert(form, labels, images, tmp_path / "out", crops=False, skip_missing=False)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "not JSON text"),
        ("[]", r"expected \{image: \[texts\]\}"),
        ('{"gt_1": 5}', "gt_1: expected a list of texts"),
        ('{"gt_1": [{"points": []}]}', "gt_1 text 1: expected"),
        ('{"gt_1": [{"transcription": "a", "points": [[1, 2]]}]}', "gt_1 text 1: expected at least 3 points"),
        ('{"gt_9": []}', "no image called gt_9 in"),
    ],
)
def test_lsvt_files_that_make_no_sense(text: str, message: str, images: Path, tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        convert("lsvt", path, images, tmp_path / "out", crops=False, skip_missing=False)


def test_missing_images_are_left_out_on_request_and_counted(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (images / "part_1" / "gt_2.jpg").unlink()
    labels, out = write_lsvt(tmp_path), tmp_path / "out"
    command = ["convert", "lsvt", "--labels", str(labels), "--images", str(images), "--output", str(out)]
    assert main(command) == 1
    assert "no image called gt_2" in capsys.readouterr().err
    assert main([*command, "--skip-missing", "--crops"]) == 0
    printed = capsys.readouterr().out
    assert "1 pages with 3 texts, 1 of them ignored" in printed
    assert "1 labels have no image and were left out" in printed
    (images / "part_0" / "gt_1.jpg").unlink()
    assert main([*command, "--skip-missing"]) == 1


def test_two_images_of_one_name(images: Path, tmp_path: Path) -> None:
    (images / "part_1" / "gt_1.jpg").write_bytes((images / "part_0" / "gt_1.jpg").read_bytes())
    with pytest.raises(DataError, match="2 images are called gt_1"):
        convert("lsvt", write_lsvt(tmp_path), images, tmp_path / "out", crops=False, skip_missing=False)


def test_points_that_run_counter_clockwise_give_no_mirror_image(images: Path, tmp_path: Path) -> None:
    page = images / "part_0" / "gt_1.jpg"
    pixels = cv2.imread(str(page))
    pixels[20:40, 10:20] = (255, 0, 0)  # the line begins with blue
    cv2.imwrite(str(page), pixels)
    labels = write_text_files(tmp_path, "10,20,10,40,70,40,70,20,text\n")
    convert("mtwi", labels, images, tmp_path / "out", crops=True, skip_missing=False)
    [line] = paddle_rec.read_labels(tmp_path / "out" / "rec.txt", Path("elsewhere"))
    crop = cv2.imread(str(line.image_path))
    assert crop.shape == (20, 60, 3)
    assert crop[4:-4, 2:7, 0].mean() > 200 > 50 > crop[4:-4, 15:, 0].mean()
    [first, _] = paddle_det.read_labels(tmp_path / "out" / "det.txt", Path("elsewhere"))
    np.testing.assert_array_equal(first.instances[0].polygon, [[10, 20], [70, 20], [70, 40], [10, 40]])


def test_crops_of_images_that_differ_in_their_suffix_do_not_overwrite_each_other(images: Path, tmp_path: Path) -> None:
    page = cv2.imread(str(images / "part_0" / "gt_1.jpg"))
    labels = tmp_path / "labels"
    labels.mkdir()
    cv2.imwrite(str(images / "gt_1.png"), page)
    for name in ("gt_1.jpg", "gt_1.png"):
        (labels / f"{name}.txt").write_text(f"10,20,70,20,70,40,10,40,{name}\n")
    convert("mtwi", labels, images, tmp_path / "out", crops=True, skip_missing=False)
    lines = paddle_rec.read_labels(tmp_path / "out" / "rec.txt", Path("elsewhere"))
    assert [line.text for line in lines] == ["gt_1.jpg", "gt_1.png"]
    assert len({line.image_path for line in lines}) == 2


def test_progress_gets_every_page_whose_texts_are_cut_out(images: Path, tmp_path: Path) -> None:
    seen: list[str] = []

    def progress(samples: Sequence[Sample]) -> Iterator[Sample]:
        assert len(samples) == 2
        for sample in samples:
            yield sample
            seen.append(sample.image_path.stem)

    arguments = ("lsvt", write_lsvt(tmp_path), images, tmp_path / "out")
    assert convert(*arguments, crops=True, skip_missing=False, progress=progress).lines == 2
    assert seen == ["gt_1", "gt_2"]


def test_the_command_line_offers_every_format(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", "--help"]) == 0
    assert ", ".join(READERS) in capsys.readouterr().out.replace("\n", " ")
