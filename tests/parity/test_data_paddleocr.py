"""Warps of text crops against real PaddleOCR: golden/data.npz, made by make_golden/data.py."""

from __future__ import annotations

from pathlib import Path

import data_inputs as inputs
import numpy as np
import pytest

from ocrtune.data.warp_mls import warp

pytestmark = pytest.mark.parity
ARRAYS = {k.replace("|", "/"): v for k, v in np.load(Path(__file__).parent / "golden" / "data.npz").items()}
CASES = sorted({key.rsplit("/", 1)[0] for key in ARRAYS})


@pytest.mark.parametrize("case", CASES)
def test_moving_least_squares(case: str) -> None:
    image = inputs.crop(*inputs.SIZES[case.split("/")[0]])
    ours = warp(image, ARRAYS[f"{case}/source"], ARRAYS[f"{case}/target"])
    assert ours.shape == image.shape
    assert np.abs(image.astype(int) - ARRAYS[f"{case}/warped"]).max() > 5  # it did move
    assert np.abs(ours.astype(int) - ARRAYS[f"{case}/warped"]).max() <= 1  # PaddleOCR cuts levels, OpenCV rounds
