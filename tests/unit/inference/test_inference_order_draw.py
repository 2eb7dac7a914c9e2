"""Reading order, finding and reading images, and the pictures."""

import cv2
import numpy as np
import pytest

from ocrtune.core.errors import DataError
from ocrtune.core.records import PageText
from ocrtune.inference.draw import SMALLEST, draw_page
from ocrtune.inference.fonts import TextFont
from ocrtune.inference.images import list_images, read_image
from ocrtune.inference.order import reading_order


def box(x, y, width=50, height=20):
    return np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)], np.float32)


@pytest.mark.parametrize(
    ("corners", "expected"),
    [
        ([], []),
        ([(5, 5)], [0]),
        ([(0, 100), (0, 0), (0, 50)], [1, 2, 0]),
        ([(200, 0), (100, 9), (0, 5)], [2, 1, 0]),  # one line: left to right although lower
        ([(200, 0), (0, 10)], [0, 1]),  # ten pixels apart: two lines
        ([(0, 0), (90, 8), (30, 16)], [0, 2, 1]),  # a slanted line: compared with its neighbour, not with the first
    ],
)
def test_reading_order(corners, expected):
    assert reading_order([box(x, y) for x, y in corners]) == expected


def test_images_are_sorted_and_outputs_left_out(tmp_path):
    image = np.zeros((8, 8, 3), np.uint8)
    for name in ["b.png", "a.JPG", "sub/c.bmp", ".hidden/x.png", "out/pictures/a.jpg"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / name), image)
    (tmp_path / "notes.txt").write_text("no image")
    found = [str(path.relative_to(tmp_path)) for path in list_images(tmp_path, exclude=tmp_path / "out")]
    assert found == ["a.JPG", "b.png", "sub/c.bmp"]


def test_nothing_to_read(tmp_path):
    with pytest.raises(DataError, match="holds no image"):
        list_images(tmp_path)
    with pytest.raises(DataError, match="no such file or folder"):
        list_images(tmp_path / "absent")


def test_reading_an_image_by_any_name_and_kind(tmp_path):
    grey = np.full((6, 4), 77, np.uint8)
    path = tmp_path / "度量 1.png"
    path.write_bytes(cv2.imencode(".png", grey)[1].tobytes())
    image = read_image(path)
    assert image.shape == (6, 4, 3)
    assert (image == 77).all()


@pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff\xe0 not a jpeg"])
def test_broken_image(tmp_path, content):
    path = tmp_path / "broken.jpg"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"broken\.jpg is not an image"):
        read_image(path)


@pytest.mark.parametrize(("height", "width", "wide"), [(60, 200, True), (300, 200, False), (4000, 3000, False)])
def test_picture_shows_the_photo_the_box_and_the_list(height, width, wide):
    photo = np.full((height, width, 3), 200, np.uint8)
    item = PageText(box(width * 0.3, height * 0.3, width * 0.4, height * 0.4), "2P24", 0.9, 0.8)
    picture = draw_page(photo, [item])
    scale = min(max(SMALLEST / max(height, width), 1), 1600 / max(height, width))
    photo_height, photo_width = round(height * scale), round(width * scale)
    assert (picture.shape[0] > photo_height) == wide
    assert (picture.shape[1] > photo_width) == (not wide)
    coloured = np.ptp(picture[:photo_height, :photo_width].astype(int), axis=2) > 60
    ys, xs = np.nonzero(coloured)
    assert abs(xs.max() - 0.7 * photo_width) < 8
    assert abs(ys.max() - 0.7 * photo_height) < 8
    panel = picture[photo_height:] if wide else picture[:, photo_width:]
    assert (panel.min(axis=2) < 80).sum() > 50  # dark ink of the text


def test_picture_without_any_text():
    picture = draw_page(np.full((40, 40, 3), 200, np.uint8), [])
    assert (picture[:, -100:].min(axis=2) < 80).any()


def test_characters_without_a_glyph_are_counted():
    font = TextFont(["A\u0378"])
    assert font.missing == "\u0378"
    assert draw_page(np.full((40, 90, 3), 255, np.uint8), [PageText(box(1, 1), "A\u0378", 1.0, 1.0)]).size


def test_font_that_is_none(tmp_path):
    path = tmp_path / "font.ttf"
    path.write_bytes(b"nothing")
    with pytest.raises(DataError, match="cannot be loaded as a font"):
        TextFont(["a"], path)
