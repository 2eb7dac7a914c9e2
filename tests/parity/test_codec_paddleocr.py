"""The codec against numbers of real PaddleOCR: golden/codec.npz and codec.json, made by make_golden/codec.py."""

import json
from pathlib import Path

import codec_inputs as inputs
import cv2
import numpy as np
import pytest
import shapely

from ocrtune.codec.crop import crop_quad
from ocrtune.codec.ctc import CTCCodec
from ocrtune.codec.db import DBPostProcess, encode_maps
from ocrtune.codec.image import DetPreprocess, RecPreprocess, Scale, squeeze_to_width
from ocrtune.codec.nrtr import NRTRCodec
from ocrtune.core.charset import Charset

pytestmark = pytest.mark.parity
GOLDEN = Path(__file__).parent / "golden"
ARRAYS = {key.replace("|", "/"): value for key, value in np.load(GOLDEN / "codec.npz").items()}
TEXTS = json.loads((GOLDEN / "codec.json").read_text(encoding="utf-8"))
ENCODED = sorted({key.split("/")[1] for key in ARRAYS if key.startswith("encode/")})
DECODED = sorted({key.split("/")[1] for key in ARRAYS if key.startswith("decode/")})


@pytest.fixture
def codec_charset() -> Charset:
    return Charset(["a", "b", "c", "d", "é"], use_space_char=True)


@pytest.mark.parametrize("name", ENCODED)
def test_training_maps(name):
    golden = {key.split("/")[2]: value for key, value in ARRAYS.items() if key.startswith(f"encode/{name}/")}
    ratio, smallest = golden["settings"]
    size = golden["shrink_map"].shape
    maps = encode_maps(
        list(golden["polygons"]), list(golden["ignore"]), size, shrink_ratio=ratio, min_text_size=int(smallest)
    )
    for key in ("shrink_map", "shrink_mask", "threshold_mask"):
        np.testing.assert_array_equal(getattr(maps, key), golden[key], err_msg=key)
    ours, theirs = maps.threshold_map, golden["threshold_map"]
    different = np.abs(ours - theirs) > 1e-6
    # On purpose: pixels on an edge are on the outline (0.7). PaddleOCR takes the root of -1e-16 there and drops them.
    assert (ours[different] > 0.7 - 1e-6).all()
    assert (theirs[different] < 0.7).all()
    assert different.sum() <= 8


def test_repeated_corners_leave_no_hole():
    """On purpose different: PaddleOCR repeats the last corner until all polygons of a page have as many corners,
    and then loses the pixel of that corner from the threshold map (0 / 0)."""
    square = [[20, 20], [70, 20], [70, 50], [20, 50]]
    once = encode_maps([square], [False], (80, 100))
    repeated = encode_maps([[*square, square[-1], square[-1]]], [False], (80, 100))
    for one, other in zip(once, repeated):
        np.testing.assert_array_equal(one, other)
    assert repeated.threshold_map[50, 20] == pytest.approx(0.7)


@pytest.mark.parametrize("setting", inputs.DECODE_SETTINGS)
@pytest.mark.parametrize("name", DECODED)
def test_boxes(name, setting):
    rows = ARRAYS[f"decode/{name}/{setting}"]
    height, width = (int(side) for side in ARRAYS[f"decode/{name}/size"])
    prob = ARRAYS[f"decode/{name}/map"].astype(np.float32) / np.float32(255)
    found = DBPostProcess(**inputs.DECODE_SETTINGS[setting])(prob, Scale(height, width))
    expected = [rows[rows[:, 0] == i] for i in range(len(np.unique(rows[:, 0])))]
    assert len(found.polygons) == len(expected)
    for polygon, score, corners in zip(found.polygons, found.scores, expected):
        assert abs(score - corners[0, 1]) < 1e-6
        assert same_outline(polygon, corners[:, 2:])


def same_outline(ours, theirs):
    """Equal corners in equal order, but for two differences on purpose.

    Our polygons start at the top left, PaddleOCR's anywhere. Of a rectangle at 45 degrees, where corners tie, PaddleOCR
    repeats a corner or crosses the sides; then our rectangle must be a valid one that holds all their corners.
    """
    if len(ours) > 4:
        return any(np.array_equal(ours, np.roll(theirs, shift, axis=0)) for shift in range(len(theirs)))
    if shapely.is_valid(shapely.Polygon(theirs)):
        return np.array_equal(ours, theirs)
    return shapely.is_valid(shapely.Polygon(ours)) and {*map(tuple, theirs)} <= {*map(tuple, ours)}


@pytest.mark.parametrize("name", inputs.RESIZES)
def test_detection_tensor(name):
    preprocess = DetPreprocess.from_dict(inputs.RESIZES[name])
    for size, shape, values in zip(inputs.IMAGE_SIZES, ARRAYS[f"det/{name}/shape"], ARRAYS[f"det/{name}/values"]):
        tensor, scale = preprocess(inputs.image(*size))
        assert (*tensor.shape, scale.source_height, scale.source_width) == tuple(shape[:5])
        assert (scale.ratio_h, scale.ratio_w) == pytest.approx(tuple(shape[5:]), rel=1e-12)
        assert np.abs(inputs.sampled(tensor) - values).max() <= 1e-6


@pytest.mark.parametrize("height", [32, 48])
def test_recognition_tensor(height):
    preprocess = RecPreprocess((3, height, 320))
    for size, shape, values in zip(inputs.CROP_SIZES, ARRAYS[f"rec/{height}/shape"], ARRAYS[f"rec/{height}/values"]):
        tensor = preprocess(inputs.image(*size))
        assert tensor.shape == tuple(shape)
        assert np.abs(inputs.sampled(tensor) - values).max() <= 1e-6


@pytest.mark.parametrize("padding", [True, False])
@pytest.mark.parametrize("height", [32, 48])
def test_training_tensor_of_one_width(height, padding):
    prefix = f"squeeze/{height}/{padding}"
    for size, values, ratio in zip(inputs.CROP_SIZES, ARRAYS[f"{prefix}/values"], ARRAYS[f"{prefix}/ratio"]):
        tensor, used = squeeze_to_width(inputs.image(*size), (3, height, 320), padding)
        assert tensor.shape == (3, height, 320)
        assert used == pytest.approx(float(ratio))
        assert np.abs(inputs.sampled(tensor) - values).max() <= 1e-6


def test_crops():
    page = inputs.image(120, 140)
    for quad, shape, values in zip(inputs.QUADS, ARRAYS["crop/shape"], ARRAYS["crop/values"]):
        crop = crop_quad(page, quad)
        assert crop.shape == tuple(shape)
        # OpenCV 5 warps more precisely than the OpenCV 4 of the golden numbers
        assert np.abs(inputs.sampled(crop) - values).max() <= (0 if cv2.__version__.startswith("4.") else 3)


def test_ctc(codec_charset):
    codec = CTCCodec(codec_charset)
    assert [list(codec.encode(label).ids) for label in TEXTS["labels"]] == TEXTS["ctc ids"]
    for seed, expected in enumerate(TEXTS["ctc texts"]):
        found = codec.decode(inputs.ctc_case(seed))
        assert [result.text for result in found] == [text for text, _ in expected]
        assert [result.score for result in found] == pytest.approx([score for _, score in expected], abs=1e-6)


def test_nrtr(codec_charset):
    codec = NRTRCodec(codec_charset)
    assert codec.num_classes == TEXTS["nrtr classes"]
    encoded = [list(codec.encode(label).ids) for label in TEXTS["labels"]]
    assert [ids + [0] * (10 - len(ids)) for ids in encoded] == TEXTS["nrtr ids"]
    decoded = codec.decode_ids(np.array(TEXTS["nrtr ids"])[:, 1:])
    assert [result.text for result in decoded] == [text for text, _ in TEXTS["nrtr texts"]]
