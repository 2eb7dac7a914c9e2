"""Numba and numpy give the same maps of the smooth warps."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from ocrtune.data import warp_mls


@pytest.mark.parametrize("size", [(30, 20), (101, 48), (640, 100), (643, 201)])
def test_numba_and_numpy_map_alike(size: tuple[int, int]) -> None:
    width, height = size
    rng = np.random.default_rng(width)
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
    edges = np.array([[width / 3, 0], [width / 3, height]])
    source = np.concatenate([corners, edges])
    target = source + rng.uniform(-5, 5, source.shape)
    target[0] = 0.0  # a crossing of the grid that is a control point
    axes = warp_mls._axis(width), warp_mls._axis(height)
    one, other = np.empty((2, 2, height, width), np.float32)
    numba.njit(warp_mls.map_with_loops)(one[0], one[1], source, target, *axes)
    warp_mls.map_with_numpy(other[0], other[1], source, target, *axes)
    assert np.abs(one - np.mgrid[:height, :width][::-1]).max() > 0.5
    assert np.abs(one - other).max() < 1e-3
    assert (one[:, 0, 0] == source[0]).all()
