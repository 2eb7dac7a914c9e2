import json

import numpy as np
import pytest

from ocrtune.codec.image import DetPreprocess, RecPreprocess, padded_size, squeeze_to_width, width_batches
from ocrtune.core.errors import DataError


def noise(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("settings", "size", "expected"),
    [
        ({}, (720, 1280), (544, 960)),
        ({}, (100, 200), (96, 192)),  # 100 / 32 = 3.125, 200 / 32 = 6.25
        ({}, (80, 80), (64, 64)),  # 2.5 rounds to the even 2
        ({}, (112, 112), (128, 128)),  # 3.5 rounds to the even 4
        ({}, (4, 2000), (32, 960)),
        ({"limit_type": "min", "limit_side_len": 736}, (720, 1280), (736, 1312)),
        ({"limit_type": "min", "limit_side_len": 736}, (900, 800), (896, 800)),
        ({"limit_type": "resize_long", "limit_side_len": 640}, (100, 200), (320, 640)),
        ({"resize_long": 736}, (100, 200), (384, 768)),
        ({"image_shape": (640, 480)}, (100, 200), (640, 480)),
        ({"image_shape": (640, 480), "keep_ratio": True}, (100, 201), (640, 1312)),
    ],
)
def test_page_size(settings, size, expected):
    tensor, scale = DetPreprocess(**settings)(noise(*size))
    assert tensor.shape == (3, *expected)
    assert tensor.dtype == np.float32
    assert (scale.source_height, scale.source_width) == size
    assert (scale.ratio_h, scale.ratio_w) == (expected[0] / size[0], expected[1] / size[1])


def test_page_normalisation_keeps_the_channel_order():
    image = noise(64, 64)
    tensor, _ = DetPreprocess(mean=(0.1, 0.2, 0.3), std=(1.0, 2.0, 4.0), scale=1 / 255)(image)
    expected = (image / 255 - [0.1, 0.2, 0.3]) / [1, 2, 4]
    np.testing.assert_allclose(tensor, expected.transpose(2, 0, 1), atol=1e-6)


def test_tiny_page_is_padded_not_stretched():
    tensor, scale = DetPreprocess(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))(np.full((10, 20, 3), 255, np.uint8))
    assert tensor.shape == (3, 32, 32)
    assert (scale.ratio_h, scale.ratio_w) == (1.0, 1.0)
    assert scale.covered == (32, 32)
    assert tensor.sum() == 3 * 10 * 20
    assert padded_size(40, 24) == (40, 24)


@pytest.mark.parametrize(
    "settings",
    [{"image_shape": (32, 32), "resize_long": 64}, {"limit_side_len": 0}, {"std": (1.0, 0.0, 1.0)}, {"resize_long": 0}],
)
def test_page_settings_that_do_not_fit(settings):
    with pytest.raises(ValueError, match=r"positive|exclude"):
        DetPreprocess(**settings)


@pytest.mark.parametrize("bad", [np.zeros((5, 5), np.uint8), np.zeros((5, 5, 3)), np.zeros((0, 5, 3), np.uint8)])
def test_only_colour_images(bad):
    for preprocess in (DetPreprocess(), RecPreprocess()):
        with pytest.raises(DataError, match="expected a BGR image"):
            preprocess(bad)


@pytest.mark.parametrize(
    "settings",
    [DetPreprocess(), DetPreprocess(image_shape=(64, 96), scale=1.0), RecPreprocess((3, 32, 100), 640)],
)
def test_settings_survive_json(settings):
    assert type(settings).from_dict(json.loads(json.dumps(settings.to_dict()))) == settings


def test_unknown_setting_is_refused():
    with pytest.raises(DataError, match="did you mean 'limit_type'"):
        DetPreprocess.from_dict({"limit_typ": "max"})


@pytest.mark.parametrize(
    ("size", "width", "text"),
    [
        ((48, 100), 320, 100),
        ((48, 320), 320, 320),
        ((30, 333), 532, 532),
        ((31, 400), 619, 619),
        ((7, 2000), 3200, 3200),
    ],
)
def test_crop_width_follows_the_crop_alone(size, width, text):
    image = np.full((*size, 3), 255, np.uint8)
    preprocess = RecPreprocess()
    tensor = preprocess(image)
    assert preprocess.width(image) == width
    assert tensor.shape == (3, 48, width)
    assert (tensor[:, :, :text] == 1).all()
    assert (tensor[:, :, text:] == 0).all()


def test_crop_settings_that_do_not_fit():
    with pytest.raises(ValueError, match="BGR"):
        RecPreprocess((1, 48, 320))
    with pytest.raises(ValueError, match="max_width"):
        RecPreprocess((3, 48, 320), max_width=100)


@pytest.mark.parametrize(("width", "share"), [(48, 48 / 320), (320, 1.0), (900, 1.0)])
def test_squeeze_pads_narrow_crops_and_squeezes_wide_ones(width, share):
    tensor, used = squeeze_to_width(np.full((48, width, 3), 255, np.uint8), (3, 48, 320))
    assert tensor.shape == (3, 48, 320)
    assert used == share
    assert tensor.sum() == 3 * 48 * 320 * share


def test_batches_hold_one_width_and_every_crop_once():
    widths = [320, 400, 320, 500, 400, 320]
    batches = width_batches(widths, 2)
    assert batches == [[0, 2], [5], [1, 4], [3]]
    assert width_batches([], 4) == []
    with pytest.raises(ValueError, match="positive"):
        width_batches(widths, 0)
