"""Several geometric changes in one resampling: the pixels stay where the points say they are."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from ocrtune.core.geometry import area
from ocrtune.data.canvas import Canvas, clip_polygon, move_polygon, translation, warp
from ocrtune.data.image_file import ImageSource


def dotted(width: int = 160, height: int = 120, at: tuple[int, int] = (100, 50), radius: int = 6) -> np.ndarray:
    image = np.zeros((height, width, 3), np.uint8)
    cv2.circle(image, at, radius, (255, 255, 255), -1)
    return image


def centre_of(image: np.ndarray) -> np.ndarray:
    """In edge coordinates: the middle of pixel (x, y) is (x + 0.5, y + 0.5)."""
    ys, xs = np.mgrid[: image.shape[0], : image.shape[1]] + 0.5
    weight = image[:, :, 0].astype(float)
    return np.array([(xs * weight).sum(), (ys * weight).sum()]) / weight.sum()


def test_nothing_pending_gives_the_image_itself() -> None:
    image = dotted()
    assert Canvas(image).pixels() is image


@pytest.mark.parametrize("factor", [0.4, 1.0, 1.7])
def test_a_chain_moves_pixels_and_points_alike(factor: float) -> None:
    canvas, point = Canvas(dotted()), np.array([[100.5, 50.5]], np.float32)
    turn = np.array([[0.8, 0.6, 0], [-0.6, 0.8, 0], [0, 0, 1]])
    size = (round(160 * factor), round(120 * factor))
    steps = [
        (np.array([[-1.0, 0, 160], [0, 1, 0], [0, 0, 1]]), (160, 120), 1.0),
        (translation(80, 60) @ turn @ translation(-80, -60), (160, 120), 1.0),
        (np.diag([size[0] / 160, size[1] / 120, 1]), size, factor),
        (np.array([[1, 0.1, 3], [0, 1, 0], [0.0005, 0, 1]]), (200, 150), 1.0),
    ]
    for matrix, new_size, scale in steps:
        canvas.apply(matrix, new_size, scale)
        point = move_polygon(point, matrix)
    image = canvas.pixels()
    assert image.shape == (150, 200, 3)
    assert np.abs(centre_of(image) - point[0]).max() < 0.6


def test_plain_enlargement_equals_opencv_resize() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)
    canvas = Canvas(image)
    canvas.apply(np.diag([2.0, 2.0, 1.0]), (120, 80), scale=2.0)
    expected = cv2.resize(image, (120, 80), interpolation=cv2.INTER_LINEAR).astype(int)
    inside = np.s_[2:-2, 2:-2]
    assert np.abs(canvas.pixels().astype(int)[inside] - expected[inside]).max() <= 2


def test_shrinking_and_enlarging_again_loses_detail() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    canvas = Canvas(stripes)
    canvas.apply(np.diag([0.25, 0.25, 1]), (16, 16), scale=0.25)
    canvas.apply(np.diag([4.0, 4.0, 1]), (64, 64), scale=4.0)
    inside = canvas.pixels()[4:-4, 4:-4]
    assert inside.min() >= 120
    assert inside.max() <= 135


def test_strong_reduction_averages() -> None:
    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[:, ::8] = 255  # a bare bilinear sample would see some columns and miss the others
    small = np.zeros((32, 32, 3), np.uint8)
    warp(stripes, np.diag([1 / 16, 1 / 16, 1]), small)
    assert np.abs(small[1:-1, 1:-1].astype(int) - 32).max() <= 2


def test_recolouring_waits_and_leaves_the_fill_alone() -> None:
    canvas = Canvas(np.full((10, 10, 3), 100, np.uint8))
    canvas.recolour(lambda sketch: lambda image: image + 50)
    canvas.apply(translation(5, 0), (20, 10), fill=(1, 2, 3))
    image = canvas.pixels()
    assert image[5, 10].tolist() == [150, 150, 150]
    assert image[5, 1].tolist() == [1, 2, 3]
    assert canvas.pixels()[5, 10].tolist() == [150, 150, 150]  # once only


def test_looking_past_the_image_gives_the_fill() -> None:
    result = np.zeros((20, 30, 3), np.uint8)
    warp(dotted(), translation(500, 0), result, fill=(7, 7, 7))
    assert (result == 7).all()


@pytest.mark.parametrize(
    ("polygon", "size"),
    [
        ([[1, 1], [9, 1], [9, 9], [1, 9]], 64),
        ([[-5, -5], [5, -5], [5, 5], [-5, 5]], 25),
        ([[5, -5], [15, 5], [5, 15], [-5, 5]], 100),
        ([[20, 20], [30, 20], [30, 30]], 0),
        ([[-10, -10], [20, -10], [20, 20], [-10, 20]], 100),
        ([[5, 5], [25, 5], [5, 6]], 4.375),
    ],
)
def test_clipping_polygons(polygon: list[list[int]], size: float) -> None:
    clipped = clip_polygon(np.array(polygon, np.float32), 10, 10)
    assert (area(clipped) if len(clipped) >= 3 else 0) == pytest.approx(size)


@pytest.mark.parametrize("factor", [0.4, 1.0, 2.0])
def test_pasted_parts_lie_where_their_outline_lies(factor: float) -> None:
    page, other = Canvas(np.full((120, 160, 3), 255, np.uint8)), np.zeros((90, 100, 3), np.uint8)
    quad = np.array([[20, 30], [80, 30], [80, 60], [20, 60]], np.float32)
    other[30:60, 20:80] = (0, 0, 200)
    turn = np.array([[0.8, 0.6, 0], [-0.6, 0.8, 0], [0, 0, 1]])
    place = translation(20, 75) @ turn @ translation(-20, -30)
    page.recolour(lambda sketch: lambda image: image // 5)  # of the page, before there was anything on it
    page.paste(Canvas(other), quad, place)
    size = (round(160 * factor), round(120 * factor))
    scale = np.diag([size[0] / 160, size[1] / 120, 1])
    page.apply(scale, size, factor)
    page.recolour(lambda sketch: lambda image: image + 1)
    image = page.pixels()
    shown, outline = np.zeros(image.shape[:2], np.uint8), move_polygon(quad, scale @ place)
    cv2.fillConvexPoly(shown, outline.astype(np.int32), 1)
    edge = np.ones((5, 5) if factor <= 1 else (9, 9), np.uint8)  # two pixels of the source mix there
    core = cv2.erode(shown, edge, borderValue=0) > 0
    around = cv2.dilate(shown, np.ones((5, 5), np.uint8)) == 0
    assert core.sum() > 100 * factor
    assert (image[core] == (1, 1, 201)).all()
    assert (image[around] == 52).all()


def test_a_file_is_decoded_no_finer_than_it_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "page.jpg"
    smooth = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (401, 603, 3), dtype=np.uint8), (31, 31), 9)
    cv2.imwrite(str(path), cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX), [cv2.IMWRITE_JPEG_QUALITY, 95])
    source = ImageSource(path, "")
    for factor, decoded in ((0.2, 4), (0.45, 2), (0.6, 1)):
        size = round(603 * factor), round(401 * factor)
        chain = np.diag([size[0] / 603, size[1] / 401, 1])
        late, early = Canvas(ImageSource(path, "")), Canvas(source.read(1)[0])
        late.apply(chain, size, factor)
        early.apply(chain, size, factor)
        assert ImageSource(path, "").read(int(1 / factor))[1] == decoded
        difference = late.pixels().astype(int) - early.pixels()
        assert np.abs(difference).mean() < 1.5
        assert abs(difference.mean()) < 0.3
        assert (np.abs(difference).max() > 0) == (decoded > 1)


def test_black_frame() -> None:
    canvas = Canvas(np.full((20, 30, 3), 9, np.uint8))
    framed = canvas.pixels(frame=(64, 32))
    assert framed.shape == (32, 64, 3)
    assert (framed[:20, :30] == 9).all()
    assert framed.sum() == 9 * 20 * 30 * 3
    assert canvas.size == (64, 32)
