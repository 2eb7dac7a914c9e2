"""Levels through tables, with loops and with OpenCV."""

from __future__ import annotations

import numpy as np
import pytest

from ocrtune.codec.pixels import look_up, look_up_with_loops, look_up_with_opencv

RNG = np.random.default_rng(0)
TABLES = RNG.standard_normal((3, 256)).astype(np.float32)


@pytest.mark.parametrize("part", [np.s_[:, :], np.s_[1:6, 2:]], ids=["whole", "a part of larger arrays"])
def test_each_channel_goes_through_its_own_table(part: tuple[slice, slice]) -> None:
    numba = pytest.importorskip("numba")
    image = RNG.integers(256, size=(7, 9, 3), dtype=np.uint8)
    planes = (slice(None), *part)
    expected = np.stack([TABLES[c][image[:, :, c]] for c in range(3)])
    for fill in (numba.njit(look_up_with_loops), look_up_with_opencv, look_up):
        tensor = np.zeros((3, 7, 9), np.float32)
        fill(tensor[planes], image[part], TABLES)
        np.testing.assert_array_equal(tensor[planes], expected[planes])
        tensor[planes] = 0
        assert not tensor.any()  # nothing was written beside it
