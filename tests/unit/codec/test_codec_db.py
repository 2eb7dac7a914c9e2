import json

import cv2
import numba
import numpy as np
import pytest
import shapely

from ocrtune.codec import border
from ocrtune.codec.db import DBPostProcess, encode_maps
from ocrtune.codec.image import Scale
from ocrtune.core.errors import DataError
from ocrtune.core.geometry import area, perimeter, quad_size

WORDS = [
    [[40, 30], [200, 40], [198, 80], [38, 70]],
    [[240, 100], [300, 60], [320, 90], [260, 130]],
    [[30, 150], [130, 150], [130, 185], [30, 185]],
]
SIZE = (224, 352)


def iou(one, other):
    one, other = shapely.Polygon(one), shapely.Polygon(other)
    return one.intersection(other).area / one.union(other).area


@pytest.mark.parametrize("word", (np.array(WORDS) * 3).tolist())
def test_polygon_to_maps_to_box(word):
    """Shrinking by 0.4 is undone by a ratio that depends on the aspect: d = A (1 - 0.4**2) / L = A' ratio / L'."""
    size = (SIZE[0] * 3, SIZE[1] * 3)
    distance = area(word) * (1 - 0.4**2) / perimeter(word)
    width, height = (side - 2 * distance for side in quad_size(word))
    maps = encode_maps([word], [False], size)
    found = DBPostProcess(unclip_ratio=distance * 2 * (width + height) / (width * height))
    (polygon,) = found(maps.shrink_map, Scale(*size)).polygons
    assert iou(polygon, word) > 0.95
    np.testing.assert_allclose(polygon, word, atol=8)  # clockwise from the top left, like the label


def test_boxes_come_back_in_source_pixels():
    maps = encode_maps(WORDS, [False] * 3, SIZE)
    settings = DBPostProcess(unclip_ratio=1.8)
    scale = Scale(SIZE[0] * 2, SIZE[1] * 3, 0.5, 1 / 3)
    for small, large in zip(
        settings(maps.shrink_map, Scale(*SIZE)).polygons, settings(maps.shrink_map, scale).polygons
    ):
        np.testing.assert_allclose(large, small * [3, 2], atol=3)


def test_padded_tiny_page_is_not_stretched():
    prob = np.zeros((32, 32), np.float32)
    prob[4:14, 4:18] = 1
    polygon = DBPostProcess()(prob, Scale(20, 24)).polygons[0]
    assert polygon[:, 0].max() <= 23
    assert polygon[0] == pytest.approx([0, 0], abs=2)
    assert polygon[2] == pytest.approx([21, 17], abs=2)


def test_map_values():
    maps = encode_maps([WORDS[2]], [False], SIZE)
    assert maps.shrink_map[167, 80] == 1
    assert maps.shrink_map[151, 80] == 0
    assert maps.shrink_mask.min() == 1
    assert maps.threshold_map[150, 80] == pytest.approx(0.7)
    assert maps.threshold_map[5, 5] == pytest.approx(0.3)
    assert maps.threshold_mask[145, 80] == 1
    assert maps.threshold_mask[5, 5] == 0


@pytest.mark.parametrize(
    ("polygon", "ignore", "masked", "threshold"),
    [
        (WORDS[2], True, True, False),  # ### label
        ([[10, 10], [60, 10], [60, 16], [10, 16]], False, True, True),  # lower than min_text_size
        ([[10, 10], [60, 10], [60, 10], [10, 10]], False, True, False),  # no area
        ([[10, 10], [10, 10], [10, 10], [10, 10]], False, True, False),  # one point
        ([[-50, 10], [4, 10], [4, 60], [-50, 60]], False, True, True),  # 4 pixels of it are on the page
        ([[400, 300], [500, 300], [500, 340], [400, 340]], False, True, False),  # off the page
    ],
)
def test_texts_that_are_not_trained_on(polygon, ignore, masked, threshold):
    maps = encode_maps([polygon], [ignore], SIZE)
    assert maps.shrink_map.sum() == 0
    assert (maps.shrink_mask.min() == 0) == masked
    assert (maps.threshold_mask.max() == 1) == threshold


def test_blank_page_is_a_valid_negative():
    maps = encode_maps([], [], (32, 64))
    assert [float(m.max()) for m in maps] == pytest.approx([0, 1, 0.3, 0])
    assert all(m.shape == (32, 64) for m in maps)
    assert [m.dtype for m in maps] == [np.uint8, np.uint8, np.float32, np.uint8]
    assert DBPostProcess()(maps.shrink_map, Scale(32, 64)).polygons == ()


def test_flags_must_match():
    with pytest.raises(ValueError, match="1 polygons but 2"):
        encode_maps([WORDS[0]], [False, True], SIZE)


@pytest.mark.parametrize("corners", [4, 7])
@pytest.mark.parametrize("distance", [0.7, 8.5, 60.0])
def test_numba_and_numpy_draw_the_same_border(corners, distance):
    compiled = numba.njit(border.raise_with_loops)
    rng = np.random.default_rng(corners)
    for _ in range(5):
        polygon = rng.uniform(0, 40, (corners, 2)).astype(np.float32).astype(np.float64)
        squared = np.square(polygon - np.roll(polygon, -1, axis=0)).sum(axis=1)
        start = rng.uniform(0.2, 0.5, (50, 60)).astype(np.float32)
        one, other = start.copy(), start.copy()
        arguments = polygon, squared, -3, -5, distance, np.float32(0.2), np.float32(0.7)
        compiled(one, *arguments)
        border.raise_with_numpy(other, *arguments)
        assert (one > start).any()
        assert np.abs(one - other).max() <= 1e-6


def test_box_at_45_degrees_keeps_its_corners():
    """Corners tie in x + y and in y - x; PaddleOCR's ordering loses one of them."""
    prob = np.zeros((100, 100), np.float32)
    cv2.fillPoly(prob, [np.array([[30, 50], [50, 30], [80, 60], [60, 80]])], 1.0)
    (polygon,) = DBPostProcess()(prob, Scale(100, 100)).polygons
    assert len(np.unique(polygon, axis=0)) == 4
    assert shapely.Polygon(polygon).is_valid
    assert shapely.LinearRing(polygon).is_ccw  # y grows downwards: clockwise on the page
    assert iou(polygon, [[12, 50], [50, 12], [98, 60], [60, 98]]) > 0.9


def page_of_squares(count):
    """``count`` small texts below one large text at the top of the page."""
    prob = np.zeros((400, 400), np.float32)
    prob[4:24, 10:200] = 1
    for i in range(count):
        row, column = divmod(i, 20)
        prob[60 + 16 * row : 70 + 16 * row, 10 + 18 * column : 20 + 18 * column] = 1
    return prob


def test_limit_keeps_the_largest_texts():
    """PaddleOCR takes the first contours, which are at the bottom: the large text at the top would be lost."""
    prob = page_of_squares(40)
    assert len(DBPostProcess()(prob, Scale(400, 400)).polygons) == 41
    limited = DBPostProcess(max_candidates=5)(prob, Scale(400, 400)).polygons
    assert len(limited) == 5
    assert any(polygon[0, 1] < 10 and polygon[1, 0] > 190 for polygon in limited)


@pytest.mark.parametrize(
    ("settings", "count"),
    [({}, 1), ({"box_thresh": 0.75}, 0), ({"thresh": 0.8}, 0), ({"min_size": 40}, 0), ({"box_type": "poly"}, 1)],
)
def test_thresholds(settings, count):
    prob = np.zeros((100, 100), np.float32)
    prob[30:60, 20:80] = 0.7
    result = DBPostProcess(**settings)(prob, Scale(100, 100))
    assert len(result.polygons) == len(result.scores) == count
    assert all(polygon.min(axis=0) == pytest.approx([5, 15], abs=1) for polygon in result.polygons)


@pytest.mark.parametrize(
    ("settings", "message"), [({"max_candidates": 0}, "max_cand"), ({"unclip_ratio": 0.0}, "unclip")]
)
def test_settings_that_do_not_fit(settings, message):
    with pytest.raises(ValueError, match=message):
        DBPostProcess(**settings)


def test_settings_survive_json():
    settings = DBPostProcess(thresh=0.2, use_dilation=True, score_mode="slow", box_type="poly")
    assert DBPostProcess.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings
    with pytest.raises(DataError, match="expected one of fast, slow"):
        DBPostProcess.from_dict({"score_mode": "quick"})
