"""Drawn meters: reproducible, labelled where the text is, written in PaddleOCR's forms."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from meters.dataset import Split, write_split
from meters.display import draw_make
from meters.photo import HEIGHT, WIDTH, draw_photo
from meters.readings import QUANTITIES, Quantity, reading
from meters.segments import LIT, Shape, fill, layout

from ocrtune.data.formats import paddle_det, paddle_rec

SHAPE = Shape("pointed", 2.0, 0.2, 0.05, 1.5, 0.1, 0.2, True, False)


def drawn(text: str, places: int) -> np.ndarray:
    mask = np.zeros((100, 320), np.uint8)
    fill(mask, layout(text, places, SHAPE, 10, 10, 36.0).lit)
    return mask


def test_the_same_seed_gives_the_same_photo() -> None:
    first, second, other = draw_photo(5), draw_photo(5), draw_photo(6)
    assert np.array_equal(first.image, second.image)
    assert [text.text for text in first.texts] == [text.text for text in second.texts]
    assert first.jpeg_quality == second.jpeg_quality
    assert not np.array_equal(first.image, other.image)


@pytest.mark.parametrize("seed", range(20))
def test_labels_lie_on_the_photo_clockwise(seed: int) -> None:
    photo = draw_photo(seed)
    assert photo.image.shape == (HEIGHT, WIDTH, 3)
    assert any(text.value for text in photo.texts)
    assert any(not text.value for text in photo.texts)
    for text in photo.texts:
        assert text.quad.min() >= 0
        assert (text.quad.max(axis=0) <= (WIDTH, HEIGHT)).all()
        x, y = text.quad.T
        assert x[1] > x[0]
        assert y[2] > y[1]
        assert cv2.contourArea(text.quad, oriented=True) > 40  # clockwise, as y grows downwards


def test_the_label_of_a_display_is_around_its_lit_segments() -> None:
    """Everything lit is inside the box, and the box ends with it."""
    segments = layout("-1.5", 5, SHAPE, 10, 10, 36.0)
    left, top, right, bottom = segments.box()
    rows, columns = np.nonzero(drawn("-1.5", 5) > 128)
    assert left - 1 <= columns.min() <= left + 1.5
    assert right - 1.5 <= columns.max() <= right + 1
    assert top - 1 <= rows.min() <= top + 1.5
    assert bottom - 1.5 <= rows.max() <= bottom + 1


def test_every_digit_looks_different() -> None:
    masks = [drawn(character, 1) for character in LIT if character != " "]
    for i, mask in enumerate(masks):
        assert all(np.abs(mask.astype(int) - other).sum() > 255 * 100 for other in masks[:i])


def test_a_decimal_point_takes_no_place() -> None:
    with_dot, without = layout("12.5", 3, SHAPE, 0, 0, 30.0), layout("125", 3, SHAPE, 0, 0, 30.0)
    assert len(with_dot.lit) == len(without.lit) + 1
    assert len(with_dot.unlit) == len(without.unlit) - 1
    with pytest.raises(ValueError, match="does not fit into 3 places"):
        layout("1234", 3, SHAPE, 0, 0, 30.0)


@pytest.mark.parametrize("quantity", QUANTITIES, ids=lambda quantity: f"{quantity.title} {quantity.unit}")
def test_readings_fit_their_display_and_range(quantity: Quantity) -> None:
    rng = np.random.default_rng(0)
    for _ in range(100):
        text = reading(rng, quantity)
        places = len(text.replace(".", ""))
        assert places == quantity.digits if quantity.zeros else places <= quantity.digits
        assert quantity.low - 0.5 <= float(text) <= quantity.high + 0.5
        assert text not in {"-0", "-0.0", "-0.00"}


def test_lit_segments_stand_out_from_unlit_ones() -> None:
    """A person must be able to tell them apart on every make."""
    makes = [draw_make(np.random.default_rng(seed)) for seed in range(50)]
    assert {make.technology for make in makes} == {"lcd", "led"}
    assert all(make.ghost < 0.5 and make.contrast >= 0.4 for make in makes)


def test_label_files_are_read_back(tmp_path: Path) -> None:
    pages, crops = write_split(tmp_path, Split("a", 100, photos=6, pages=4))
    detection = paddle_det.read_labels(tmp_path / "det_a.txt", tmp_path)
    recognition = paddle_rec.read_labels(tmp_path / "rec_a.txt", tmp_path)
    assert (len(detection), len(recognition)) == (pages, crops) == (4, len(list((tmp_path / "crops").iterdir())))
    assert len(list((tmp_path / "images").iterdir())) == 6
    photo = draw_photo(100)
    assert [text.text for text in detection[0].instances] == [text.text for text in photo.texts]
    for label, text in zip(detection[0].instances, photo.texts, strict=True):
        assert np.allclose(label.polygon, text.quad, atol=0.06)
    shown = [text.text for text in photo.texts if text.value]
    assert [sample.text for sample in recognition[: len(shown)]] == shown
    digits = [sample for sample in recognition if (sample.text or "").replace(".", "").lstrip("-").isdigit()]
    assert 0.55 <= len(digits) / crops <= 0.85


def test_no_photo_is_in_two_splits() -> None:
    import run

    for size in (run.FULL, run.QUICK):
        parts = ((run.TRAIN_SEED, size.train), (run.VAL_SEED, size.val), (run.TEST_SEED, size.test))
        seeds = [seed + i for seed, count in (*parts, (run.UNSEEN_SEED, size.unseen)) for i in range(count)]
        assert len(set(seeds)) == len(seeds)
