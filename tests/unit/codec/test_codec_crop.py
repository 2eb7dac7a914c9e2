import cv2
import numpy as np
import pytest

from ocrtune.codec.crop import crop_polygon, crop_quad, min_area_quad


@pytest.fixture
def page():
    return np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)


def test_upright_quad_is_a_plain_cut(page):
    crop = crop_quad(page, [[10, 20], [50, 20], [50, 40], [10, 40]])
    np.testing.assert_array_equal(crop, page[20:40, 10:50])


def test_tall_crop_is_turned_counter_clockwise(page):
    quad = [[10, 10], [30, 10], [30, 40], [10, 40]]
    np.testing.assert_array_equal(crop_quad(page, quad), np.rot90(page[10:40, 10:30]))
    np.testing.assert_array_equal(crop_quad(page, quad, turn_tall=False), page[10:40, 10:30])


def test_upside_down_reading_order_is_kept(page):
    crop = crop_quad(page, [[50, 40], [10, 40], [10, 20], [50, 20]])
    np.testing.assert_array_equal(crop[1:, 1:], page[20:40, 10:50][::-1, ::-1][:-1, :-1])


def test_outside_repeats_the_edge_and_nothing_has_no_size(page):
    outside = crop_quad(page, [[-20, 0], [-4, 0], [-4, 10], [-20, 10]])
    np.testing.assert_array_equal(outside, np.repeat(page[:10, :1], 16, axis=1))
    assert crop_quad(page, [[5, 5], [5.2, 5], [5.2, 5.1], [5, 5.1]]).shape == (1, 1, 3)


def test_rectangle_around_a_turned_polygon(page):
    corners = cv2.boxPoints(((40, 30), (30, 12), 20))
    quad, short_side = min_area_quad(corners)
    assert short_side == pytest.approx(12, abs=0.01)
    assert quad[0] == pytest.approx(corners[corners.sum(axis=1).argmin()], abs=0.01)
    assert quad[2] == pytest.approx(corners[corners.sum(axis=1).argmax()], abs=0.01)
    assert crop_polygon(page, [*corners, corners.mean(axis=0)]).shape[:2] == pytest.approx((12, 30), abs=2)
