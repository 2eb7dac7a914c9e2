"""What we write as ``.pdparams`` has exactly the names and shapes of PaddleOCR's own state, for every network.

The golden lists are made by ``make_golden/zoo.py`` from PaddleOCR's ``state_dict`` (LSTM weights under one of their two
names, tables of positions left out).
"""

import zlib
from pathlib import Path

import numpy as np
import pytest
from model_weights import from_paddle
from zoo_inputs import CLASSES, listed

from ocrtune.core.charset import Charset
from ocrtune.weights.architectures import ARCHITECTURES
from ocrtune.weights.released import build_section
from ocrtune.weights.to_paddle import paddle_state

pytestmark = pytest.mark.parity
GOLDEN = Path(__file__).parent / "golden" / "zoo"
CHARSET = Charset([chr(0x4E00 + i) for i in range(CLASSES - 1)])


@pytest.mark.parametrize("name", sorted(path.stem for path in GOLDEN.glob("*.npz") if path.stem in ARCHITECTURES))
def test_names_and_shapes_are_paddleocrs(name):
    section = ARCHITECTURES[name]
    state = paddle_state(build_section(section, CHARSET if section["model_type"] == "rec" else None))
    shapes = {from_paddle(key): value.shape for key, value in state.items() if not key.endswith(".pe")}
    expected = zlib.decompress(np.load(GOLDEN / f"{name}.npz")["names"].tobytes())
    assert listed(shapes) == expected
