"""Every registered transform on a sample, and what each of them promises."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from conftest_data import components, page

from ocrtune.core.charset import Charset
from ocrtune.core.errors import ConfigError, DataError
from ocrtune.core.options import Findings
from ocrtune.core.records import Sample, TextInstance
from ocrtune.data.formats import paddle_det
from ocrtune.data.item import Context, Frame, Item
from ocrtune.data.pipeline import build_transforms
from ocrtune.data.transforms import transforms
from ocrtune.data.transforms.color_jitter import blend_grey, shift_hue, stretch
from ocrtune.data.transforms.east_random_crop_data import EastRandomCropDataOptions, extend_crop, find_crop
from ocrtune.data.transforms.rec_aug import add_noise, add_with_loops, add_with_opencv, cut_rows

OPTIONS: dict[str, dict[str, object]] = {
    "EastRandomCropData": {"size": [64, 64]},
    "KeepKeys": {"keep_keys": ["image"]},
    "RecResizeImg": {"image_shape": [3, 32, 100]},
    "SVTRRecResizeImg": {"image_shape": [3, 32, 100]},
}
SQUARE = np.array([[20, 20], [90, 20], [90, 45], [20, 45]], np.float32)


def item_of(width: int = 200, height: int = 120, seed: int = 0) -> Item:
    """A page with a text and an ignored text, as DecodeImage and DetLabelEncode leave it, that is also a crop."""
    instances = (TextInstance(SQUARE, "AB"), TextInstance(SQUARE + 50, "###", ignore=True))
    item = Item(Sample("set.txt:1", Path("none.png"), text="AB", instances=instances), text="AB")
    item.image = page(seed, width, height)
    item.polygons = [instance.polygon.copy() for instance in instances]
    item.texts = [instance.text for instance in instances]
    item.ignore = np.array([False, True])
    item.draw = lambda rng: item_of(width, height, int(rng.integers(1, 100)))
    return item


def run(item: Item, *steps: tuple[str, dict[str, object]], seed: int = 0) -> Item:
    rng = np.random.default_rng(seed)
    for transform in build_transforms(components(*steps), Context(Charset([*"ABC"]))):
        transform(item, rng)
    return item


@pytest.mark.parametrize("name", transforms.names())
def test_every_transform_runs_and_repeats_itself(name: str, det_set: Path) -> None:
    results = []
    for _ in range(2):
        item = item_of()
        if name == "DecodeImage":
            item = Item(paddle_det.read_labels(det_set, det_set.parent)[0])
        if name == "ToCHWImage":
            run(item, ("NormalizeImage", {}))
        run(item, (name, OPTIONS.get(name, {})), seed=4)
        assert item.image.dtype == np.uint8
        assert item.image.ndim == 3
        assert len(item.polygons) == len(item.texts) == len(item.ignore)
        assert item.tensor is None or item.tensor.dtype == np.float32
        results.append(item)
    np.testing.assert_array_equal(results[0].image, results[1].image)
    for first, second in zip(results[0].polygons, results[1].polygons):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("name", transforms.names())
def test_every_transform_refuses_an_unknown_option(name: str) -> None:
    findings = Findings()
    transforms.parse(name, {**OPTIONS.get(name, {}), "no_such_option": 1}, name, findings)
    assert findings.problems


@pytest.mark.parametrize(
    ("name", "raw", "message"),
    [
        (
            "KeepKeys",
            {"keep_keys": ["image", "lable"]},
            "keep_keys holds the unknown key 'lable'; did you mean 'label'?",
        ),
        (
            "IaaAugment",
            {"augmenter_args": [{"type": "Fliplt"}]},
            "no augmenter is called 'Fliplt'. did you mean 'Fliplr'?",
        ),
        (
            "IaaAugment",
            {"augmenter_args": [{"type": "Affine", "args": {"rotat": 3}}]},
            "unknown key. did you mean 'rotate'?",
        ),
        ("IaaAugment", {"augmenter_args": [{"type": "Resize", "args": {"size": [3, 0.5]}}]}, "the smaller first"),
        ("EastRandomCropData", {"size": [650, 640]}, "expected multiples of 32"),
        ("NormalizeImage", {"scale": "1//255"}, "got '1//255', expected a number"),
        (
            "MultiLabelEncode",
            {"gtc_encode": "SRNLabelEncode"},
            "got 'SRNLabelEncode', expected one of NRTRLabelEncode, SARLabelEncode",
        ),
        ("SVTRRecResizeImg", {"image_shape": [1, 48, 320]}, "image_shape must be [3, height, width]"),
        (
            "DetResizeForTest",
            {"image_shape": [64, 64], "resize_long": 3},
            "image_shape and resize_long exclude each other",
        ),
        ("RandomRotate180", {"prob": 1.5}, "expected 0 <= prob <= 1, or auto"),
        ("RandomRotate180", {"prob": "sometimes"}, "got 'sometimes', expected"),
        ("MakeShrinkMap", {"shrink_ratio": 1.0}, "shrink_ratio must be between 0 and 1"),
    ],
)
def test_bad_options(name: str, raw: dict[str, object], message: str) -> None:
    findings = Findings()
    assert transforms.parse(name, raw, name, findings) is None
    assert message in str(findings.problems[0])


def test_mirroring_twice_gives_the_page_back() -> None:
    flip = ("IaaAugment", {"augmenter_args": [{"type": "Fliplr", "args": {"p": 1}}]})
    item = run(item_of(), flip)
    np.testing.assert_array_equal(item.image, page(0)[:, ::-1])
    np.testing.assert_allclose(item.polygons[0][0], [200 - 20, 20])
    np.testing.assert_array_equal(run(item_of(), flip, flip).image, page(0))


def angle(item: Item) -> float:
    side = item.polygons[0][1] - item.polygons[0][0]
    return float(np.degrees(np.arctan2(-side[1], side[0])))


def test_rotation_covers_its_range_and_obeys_p() -> None:
    rotate = ("IaaAugment", {"augmenter_args": [{"type": "Affine", "args": {"rotate": [-45, 45], "p": 0.5}}]})
    angles = np.array([angle(run(item_of(), rotate, seed=seed)) for seed in range(400)])
    turned = angles[angles != 0]
    assert 150 < len(turned) < 250
    assert turned.min() >= -45
    assert turned.max() <= 45
    assert turned.min() < -40
    assert turned.max() > 40
    assert abs(turned.mean()) < 6


def test_rotation_that_fits_the_output_loses_no_corner() -> None:
    """A page turned by 30 degrees, its canvas as large as the turned page; the text turns with it about the centre."""
    turned = {"rotate": 30, "fit_output": True}
    item = run(item_of(), ("IaaAugment", {"augmenter_args": [{"type": "Affine", "args": turned}]}))
    assert item.image.shape[:2] == (math.ceil(200 * 0.5 + 120 * 3**0.5 / 2), math.ceil(200 * 3**0.5 / 2 + 120 * 0.5))
    assert angle(item) == pytest.approx(30, abs=1e-3)
    corners = item_of().polygons[0] - (100, 60)
    turn = np.array([[3**0.5 / 2, 0.5], [-0.5, 3**0.5 / 2]])
    centre = np.array([item.image.shape[1], item.image.shape[0]]) / 2
    np.testing.assert_allclose(item.polygons[0], corners @ turn.T + centre, rtol=1e-5)
    page_of_noise = item.image.any(axis=2).mean() * item.image.shape[0] * item.image.shape[1]
    assert page_of_noise == pytest.approx(200 * 120, rel=0.02)


def test_resize_covers_its_range_and_moves_the_polygons() -> None:
    resize = ("IaaAugment", {"augmenter_args": [{"type": "Resize", "args": {"size": [0.5, 3]}}]})
    widths = []
    for seed in range(200):
        item = run(item_of(), resize, seed=seed)
        widths.append(item.image.shape[1])
        np.testing.assert_allclose(item.polygons[0][1][0] / 90, item.image.shape[1] / 200, rtol=1e-5)
    assert min(widths) >= 100
    assert min(widths) < 120
    assert 580 < max(widths) <= 600


def test_crop_never_cuts_a_text() -> None:
    rng = np.random.default_rng(0)
    moves = np.array([[0, 0], [95, 60], [100, 0], [-30, 70]], np.float32)
    boxes = [SQUARE + move for move in moves]  # the last one reaches over the edge
    options = EastRandomCropDataOptions(size=(64, 64), max_tries=50)
    crops = {find_crop((200, 120), boxes, options, rng) for _ in range(500)}
    assert len(crops) > 100
    for left, top, width, height in crops:
        assert 0 <= left < left + width <= 200
        assert 0 <= top < top + height <= 120
        if (left, top, width, height) == (0, 0, 200, 120):
            continue
        inside = []
        for box in boxes:
            (x0, y0), (x1, y1) = np.clip(box.min(axis=0), 0, None), box.max(axis=0)
            apart = x1 <= left or x0 >= left + width or y1 <= top or y0 >= top + height
            whole = x0 >= left and x1 <= left + width and y0 >= top and y1 <= top + height
            assert apart or whole
            inside.append(whole)
        assert any(inside)


def test_crop_reaches_every_side_and_blank_pages_are_cropped_too() -> None:
    rng = np.random.default_rng(1)
    options = EastRandomCropDataOptions(size=(64, 64), max_tries=50)
    for boxes in ([SQUARE], []):
        crops = np.array([find_crop((200, 120), boxes, options, rng) for _ in range(400)])
        ends = crops[:, :2] + crops[:, 2:]
        assert crops[:, 0].min() < 10
        assert crops[:, 1].min() < 10
        assert ends[:, 0].max() > 190
        assert ends[:, 1].max() > 110
        assert (crops[:, 2] >= 20).all()
        assert (crops[:, 3] >= 12).all()
        assert (crops[:, 2:] == [200, 120]).all(axis=1).mean() < 0.2


def test_crop_pads_with_black_and_drops_what_is_outside() -> None:
    for seed in range(30):
        item = run(item_of(), ("EastRandomCropData", {"size": [96, 64], "max_tries": 50}), seed=seed)
        assert item.image.shape == (64, 96, 3)
        used = np.flatnonzero(item.image.any(axis=(0, 2)))[-1] + 1, np.flatnonzero(item.image.any(axis=(1, 2)))[-1] + 1
        assert used[0] == 96 or used[1] == 64
        for polygon in item.polygons:
            assert (polygon.max(axis=0) >= 0).all()
            assert (polygon.min(axis=0) <= used).all()


def test_texts_over_the_edge_are_cut_to_what_is_seen() -> None:
    item = item_of()
    half = np.array([[150, 20], [250, 20], [250, 40], [150, 40]], np.float32)
    sliver = np.array([[185, 60], [285, 60], [285, 80], [185, 80]], np.float32)
    item.polygons, item.texts, item.ignore = [half, sliver], ["half", "sliver"], np.array([False, False])
    run(item, ("EastRandomCropData", {"size": [416, 256], "max_tries": 0}))  # the whole page at 2.08
    np.testing.assert_allclose(item.polygons[0].max(axis=0), [416, 40 * 2.08], rtol=1e-4)
    np.testing.assert_allclose(item.polygons[0].min(axis=0), [150 * 2.08, 20 * 2.08], rtol=1e-4)
    assert item.ignore.tolist() == [False, True]


def test_frame_is_filled_with_page_instead_of_black() -> None:
    rng = np.random.default_rng(2)
    options = EastRandomCropDataOptions(size=(64, 64), max_tries=50)
    moves = np.array([[0, 0], [95, 60], [100, 0]], np.float32)
    boxes = [SQUARE + move for move in moves]
    grown = 0
    for _ in range(300):
        crop = find_crop((200, 120), boxes, options, rng)
        left, top, width, height = extend_crop(crop, (200, 120), boxes, (64, 64), rng)
        grown += width * height > crop[2] * crop[3]
        assert max(width, height) == max(crop[2:])  # the same scale
        assert left <= crop[0] <= crop[0] + crop[2] <= left + width <= 200
        assert top <= crop[1] <= crop[1] + crop[3] <= top + height <= 120
        for box in boxes:
            (x0, y0), (x1, y1) = box.min(axis=0), box.max(axis=0)
            apart = x1 <= left or x0 >= left + width or y1 <= top or y0 >= top + height
            assert apart or (x0 >= left and x1 <= left + width and y0 >= top and y1 <= top + height)
    assert grown > 100


def test_small_crops_keep_their_scale_on_request() -> None:
    for seed in range(40):
        item = item_of()
        side = max(float(np.ptp(polygon[:, 0])) for polygon in item.polygons)
        run(item, ("EastRandomCropData", {"size": [416, 256], "enlarge": False}), seed=seed)
        assert item.used is not None
        assert item.used[0] <= 200  # the page is smaller than the result: shown as large as it is, never larger
        assert item.used[1] <= 120
        assert max(float(np.ptp(polygon[:, 0])) for polygon in item.polygons) <= side + 1e-3
    shrunk = run(item_of(), ("EastRandomCropData", {"size": [64, 64], "enlarge": False, "max_tries": 0}))
    assert shrunk.used == (64, 38)  # the whole page does not fit: scaled down to fit


def test_blank_page_has_empty_maps() -> None:
    item = item_of()
    item.keep([])
    run(item, ("EastRandomCropData", {"size": [64, 64]}), ("MakeBorderMap", {}), ("MakeShrinkMap", {}))
    assert item.targets["shrink_map"].max() == 0
    assert item.targets["shrink_mask"].min() == 1
    assert item.targets["threshold_mask"].max() == 0
    np.testing.assert_allclose(item.targets["threshold_map"], 0.3)


def test_maps_are_made_once_and_hold_their_settings() -> None:
    item = run(item_of(), ("MakeBorderMap", {"thresh_min": 0.2, "thresh_max": 0.9}), ("MakeShrinkMap", {}))
    assert item.maps is not None
    assert item.maps[1].shrink_map is item.targets["shrink_map"]
    assert item.targets["threshold_map"].min() == pytest.approx(0.2)
    assert 0.85 < item.targets["threshold_map"].max() <= 0.9
    assert item.targets["shrink_map"][32, 55] == 1
    assert item.targets["shrink_mask"][82, 105] == 0  # the ignored text
    before = item.maps[1]
    item = run(item, ("MakeShrinkMap", {"min_text_size": 30}))
    assert item.maps[1] is not before
    assert item.targets["shrink_map"].max() == 0


@pytest.mark.parametrize(("epoch", "expected"), [(0, 0.4), (5, 0.5), (10, 0.6), (20, 0.6)])
def test_dynamic_shrink_ratio(epoch: int, expected: float) -> None:
    options = {"total_epoch": 10, "dynamic_shrink": True}
    item = item_of()
    item.epoch = epoch
    moving = run(item, ("MakeShrinkMap", options)).targets["shrink_map"]
    fixed = run(item_of(), ("MakeShrinkMap", {"shrink_ratio": expected})).targets["shrink_map"]
    constant = run(item_of(), ("MakeShrinkMap", {"total_epoch": 10})).targets["shrink_map"]
    np.testing.assert_array_equal(moving, fixed)
    np.testing.assert_array_equal(constant, run(item_of(), ("MakeShrinkMap", {})).targets["shrink_map"])


def test_perspective_keeps_the_whole_page_in_sight() -> None:
    options = {"prob": 1.0, "shear": 20.0, "perspective": 0.001, "fill_value": [9, 8, 7]}
    for seed in range(40):
        item = item_of(1280, 720)
        item.polygons = [np.array([[0, 0], [1280, 0], [1280, 720], [0, 720]], np.float32)]
        item.ignore, item.texts = np.array([False]), ["page"]
        run(item, ("RandomPerspective", options), seed=seed)
        assert item.canvas is not None
        assert (item.polygons[0] >= -0.01).all()
        assert (item.polygons[0] <= np.array(item.canvas.size) + 0.01).all()
        assert max(item.canvas.size) < 6000
    assert item.image[0, 0].tolist() == [9, 8, 7] or item.image[0, -1].tolist() == [9, 8, 7]


def test_perspective_probability() -> None:
    moved = [run(item_of(), ("RandomPerspective", {"prob": 0.3, "shear": 20.0}), seed=s).canvas for s in range(300)]
    assert 60 < sum(canvas is not None and canvas.size != (200, 120) for canvas in moved) < 120


def test_copy_paste_adds_texts_at_free_places() -> None:
    pasted = 0
    for seed in range(30):
        item = item_of(400, 300)
        before = item.image.copy()
        run(item, ("CopyPaste", {"objects_paste_ratio": 1.0}), seed=seed)
        for polygon in item.polygons[2:]:
            pasted += 1
            low, high = polygon.min(axis=0), polygon.max(axis=0)
            assert (low >= -0.01).all()
            assert (high <= (400.01, 300.01)).all()
            for other in item.polygons[:2]:
                assert (other.max(axis=0) < low).any() or (other.min(axis=0) > high).any()
            x, y = polygon.mean(axis=0).astype(int)
            assert (item.image[y, x] != before[y, x]).any()
        assert not item.ignore[2:].any()
    assert pasted >= 20  # each other page has one text that is not ignored


def test_colour_changes() -> None:
    image = page(3, 40, 30)
    np.testing.assert_array_equal(stretch(image, 1.0, 0.0), image)
    assert np.abs(stretch(image, 0.5, 0.0).astype(float) - image / 2).max() < 1
    assert np.ptp(stretch(image, 0.0, 77.0)) == 0
    grey = blend_grey(image, 0.0)
    assert (grey[:, :, 0] == grey[:, :, 2]).all()
    assert np.abs(shift_hue(image, 0.0).astype(int) - image).max() <= 10  # 8-bit HSV rounds
    red = np.full((2, 2, 3), (0, 0, 255), np.uint8)
    assert shift_hue(red, 1 / 3)[0, 0].argmax() == 1  # a third of the circle further is green


def test_crop_augmentation_pieces() -> None:
    image, rng = page(1, 60, 32), np.random.default_rng(0)
    heights = {cut_rows(image, rng).shape[0] for _ in range(200)}
    assert heights == set(range(24, 32))
    noise = add_noise(np.full((50, 50, 3), 100, np.uint8), 0.5 * 0.1**0.5, rng)
    assert set(np.unique(noise)) == {99, 100}  # cut to whole levels, as PaddleOCR does
    assert (noise == 99).mean() == pytest.approx(0.5, abs=0.02)
    strong = add_noise(np.full((200, 200, 3), 100, np.uint8), 20.0, rng).astype(float)
    assert strong.mean() == pytest.approx(99.5, abs=0.3)
    assert strong.std() == pytest.approx(20, abs=0.3)
    assert add_noise(np.full((50, 50, 3), 3, np.uint8), 20.0, rng).min() == 0  # no level wraps around


def test_noise_is_the_same_with_and_without_numba() -> None:
    numba = pytest.importorskip("numba")
    rng = np.random.default_rng(0)
    image = rng.integers(256, size=(19, 23, 3), dtype=np.uint8)[3:, :-2]  # not contiguous
    drawn = rng.integers(40, size=image.size + 3, dtype=np.uint16)
    steps = rng.integers(-300, 300, size=40, dtype=np.int16)
    one, other = np.empty_like(image), np.empty_like(image)
    numba.njit(add_with_loops)(one, image, steps, drawn)
    add_with_opencv(other, image, steps, drawn)
    expected = np.clip(image.astype(int) + steps[drawn[: image.size]].reshape(image.shape), 0, 255)
    np.testing.assert_array_equal(one, expected)
    np.testing.assert_array_equal(other, expected)


def test_augmentation_can_be_switched_off() -> None:
    off = {f"{name}_prob": -1 for name in ("tia", "crop", "reverse", "noise", "jitter", "blur", "hsv_aug")}
    np.testing.assert_array_equal(run(item_of(), ("RecAug", off)).image, page(0))
    inverted = run(item_of(), ("RecAug", {**off, "reverse_prob": 1.0})).image
    np.testing.assert_array_equal(inverted, 255 - page(0))


def test_turning_crops_upside_down() -> None:
    image = page(0)
    turned = run(item_of(), ("RandomRotate180", {"prob": 1.0})).image
    np.testing.assert_array_equal(turned, image[::-1, ::-1])
    np.testing.assert_array_equal(run(item_of(), ("RandomRotate180", {"prob": 0.0})).image, image)
    with pytest.raises(ConfigError, match="only a training run decides 'auto'"):
        run(item_of(), ("RandomRotate180", {"prob": "auto"}))


def test_joined_crops() -> None:
    join = ("RecConAug", {"prob": 1.0, "image_shape": [32, 320, 3], "ext_data_num": 2})
    item = run(item_of(100, 40), join)
    assert item.text == "ABABAB"
    assert item.image.shape == (32, 240, 3)
    item = run(item_of(200, 40), join)  # a second one would be wider than 320
    assert item.text == "ABAB"[: len(item.text)]
    assert item.image.shape[1] <= 320
    assert run(item_of(100, 40), ("RecConAug", {"prob": 1.0, "max_text_length": 3})).text == "AB"


@pytest.mark.parametrize(
    ("options", "guide", "ids", "padding"),
    [({"gtc_encode": "NRTRLabelEncode"}, "nrtr", [2, 4, 5, 3], 0), ({}, "sar", [4, 0, 1, 4], 5)],
)
def test_labels_of_both_heads(options: dict[str, object], guide: str, ids: list[int], padding: int) -> None:
    item = run(item_of(), ("MultiLabelEncode", options))
    assert set(item.targets) == {"ctc", "length", guide}
    assert item.targets["ctc"].tolist() == [1, 2] + [0] * 23
    assert item.targets["length"] == 2
    assert item.targets[guide].tolist() == ids + [padding] * 23


def test_the_longest_text_fits_the_guiding_labels() -> None:
    """PaddleOCR drops texts of 24 and 25 characters here."""
    item = item_of()
    item.text = "A" * 25
    run(item, ("MultiLabelEncode", {}))
    assert item.targets["sar"].tolist() == [4] + [0] * 25 + [4]


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("AXYX", {}, "set.txt:1: 'AXYX' has characters outside the dictionary: 'X', 'Y'"),
        ("XY", {"drop_out_of_dictionary": True}, "no character of 'XY' is in the dictionary"),
        ("A" * 26, {}, "26 characters, but Global.max_text_length is 25"),
    ],
)
def test_labels_that_cannot_be_encoded(text: str, options: dict[str, object], message: str) -> None:
    item = item_of()
    item.text = text
    with pytest.raises(DataError, match=message):
        run(item, ("CTCLabelEncode", options))


def test_dropping_characters_is_a_choice() -> None:
    item = item_of()
    item.text = "AXB"
    run(item, ("CTCLabelEncode", {"drop_out_of_dictionary": True}))
    assert item.targets["ctc"][:3].tolist() == [1, 2, 0]
    assert item.targets["length"] == 2


@pytest.mark.parametrize(
    ("frame", "width"), [(None, 100), (Frame(32, 64, 64), 64), (Frame(48, 32, 400), 240), (Frame(48, 250, 400), 250)]
)
def test_recognition_tensor_width(frame: Frame | None, width: int) -> None:
    item = item_of(160, 32)
    item.frame = frame
    run(item, ("RecResizeImg", {"image_shape": [3, 32, 100]}))
    assert item.tensor is not None
    assert item.tensor.shape == (3, frame.height if frame else 32, width)
    assert np.abs(item.tensor).max() <= 1


@pytest.mark.parametrize(
    ("options", "frame", "ratio"),
    [
        ({}, None, 0.8),  # 160 x 64 pixels are 80 x 32
        ({"padding": False}, None, 1.0),
        ({}, Frame(32, 40, 40), 1.0),
        ({}, Frame(32, 160, 400), 0.5),
    ],
)
def test_valid_ratio_is_the_share_of_the_width_that_shows_text(
    options: dict[str, object], frame: Frame | None, ratio: float
) -> None:
    item = item_of(160, 64)
    item.frame = frame
    run(item, ("RecResizeImg", {"image_shape": [3, 32, 100], **options}))
    assert item.targets["valid_ratio"] == np.float32(ratio)
    assert item.targets["valid_ratio"].dtype == np.float32


def test_normalisation_is_paddleocrs() -> None:
    item = run(item_of(), ("NormalizeImage", {"scale": "1./255.", "order": "hwc"}), ("ToCHWImage", {}))
    mean, std = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
    expected = (page(0).astype(np.float32) * np.float32(1 / 255) - mean) / std
    assert item.tensor is not None
    np.testing.assert_array_equal(item.tensor, expected.transpose(2, 0, 1))
