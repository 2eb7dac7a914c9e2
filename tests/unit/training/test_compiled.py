"""What compiled loops are given."""

import numpy as np
import pytest

from ocrtune.training.compiled import wide


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((8, 24), (2, 96)), ((6, 24), (6, 24)), ((64, 1), (2, 32)), ((5, 64), (5, 64)), ((3, 96), (3, 96))],
)
def test_rows_of_several_pixels_fill_the_vectors(shape: tuple[int, int], expected: tuple[int, int]) -> None:
    rows = np.arange(shape[0] * shape[1], dtype=np.float32).reshape(shape)
    found = wide(rows)
    assert found.shape == expected
    assert np.shares_memory(found, rows)
    assert (found.ravel() == rows.ravel()).all()
