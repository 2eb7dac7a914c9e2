"""Paddle's inference files: what is refused, and why. That they are read right is in tests/parity."""

import json
import pickle
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest

from ocrtune.core.errors import WeightsError
from ocrtune.weights import wire
from ocrtune.weights.paddle_program import read_program
from ocrtune.weights.paddle_reader import find_parts, read_paddle_inference
from ocrtune.weights.pdiparams import read_pdiparams, read_training_names

GOLDEN = Path(__file__).parents[2] / "parity" / "golden"
FLOAT32, BFLOAT16 = 5, 22


def stream(array, number=FLOAT32):
    """One tensor as Paddle writes it."""
    description = bytes([0x08, number]) + b"".join(bytes([0x10, side]) for side in array.shape)
    return struct.pack("<IQIi", 0, 0, 0, len(description)) + description + array.tobytes()


@pytest.fixture
def model(tmp_path):
    """A folder with both formats of the small network."""
    for path in GOLDEN.glob("inference_small*"):
        shutil.copy(path, tmp_path)
    return tmp_path


def test_wire_numbers_packed_negative_and_cut():
    found = wire.fields(bytes.fromhex("089601 12 03 010203 18ffffffffffffffffff01 2d0000c03f"))
    assert (wire.integer(found, 1), wire.integers(found, 2), wire.integer(found, 3)) == (150, (1, 2, 3), -1)
    assert wire.float32(found, 5) == 1.5
    assert wire.integer(found, 9, 7) == 7
    for cut in ("08", "1205 0102", "2d0000"):
        with pytest.raises(ValueError, match="bytes end inside"):
            wire.fields(bytes.fromhex(cut))
    with pytest.raises(ValueError, match="wire type 3"):
        wire.fields(b"\x0b")


def test_tensors_are_read_in_order(tmp_path):
    a, b = np.arange(6, dtype=np.float32).reshape(2, 3), np.array([1.5, -2.0], np.float32)
    half = (b.view(np.uint32) >> 16).astype(np.uint16)  # bfloat16 is the upper half of a float32
    (tmp_path / "x.pdiparams").write_bytes(stream(a) + stream(half, BFLOAT16))
    found = read_pdiparams(tmp_path / "x.pdiparams", ["a", "b"])
    np.testing.assert_array_equal(found["a"], a)
    np.testing.assert_array_equal(found["b"], b)
    assert found["b"].dtype == np.float32


def test_other_number_of_tensors_is_an_error(tmp_path):
    content = stream(np.ones(3, np.float32)) * 2
    (tmp_path / "x.pdiparams").write_bytes(content)
    with pytest.raises(WeightsError, match="bytes more than the program's 1 tensors"):
        read_pdiparams(tmp_path / "x.pdiparams", ["a"])
    with pytest.raises(WeightsError, match="breaks off at tensor 3 of 3, c"):
        read_pdiparams(tmp_path / "x.pdiparams", ["a", "b", "c"])
    (tmp_path / "x.pdiparams").write_bytes(content[:-1])
    with pytest.raises(WeightsError, match=r"tensor 2 of 2, b \(the file ends inside the values\)"):
        read_pdiparams(tmp_path / "x.pdiparams", ["a", "b"])


@pytest.mark.parametrize("position", [0, 12, 16, 21])
def test_damaged_tensor_header(tmp_path, position):
    content = bytearray(stream(np.ones(3, np.float32)))
    content[position] ^= 0x7F
    (tmp_path / "x.pdiparams").write_bytes(content)
    with pytest.raises(WeightsError, match="breaks off at tensor 1"):
        read_pdiparams(tmp_path / "x.pdiparams", ["a"])


def test_training_names(tmp_path):
    info = {"conv2d_0.w_0": {"structured_name": "backbone.conv.weight", "trainable": True}, "x": {"other": 1}}
    (tmp_path / "x.pdiparams.info").write_bytes(pickle.dumps(info, protocol=2))
    assert read_training_names(tmp_path / "x.pdiparams.info") == {"conv2d_0.w_0": "backbone.conv.weight"}


def test_training_names_cannot_run_code(tmp_path):
    (tmp_path / "x.pdiparams.info").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(WeightsError, match=r"refused: the file asks for os\.system"):
        read_training_names(tmp_path / "x.pdiparams.info")


@pytest.mark.parametrize("name", ["", "inference_small.pdiparams", "inference_small.pdmodel", "inference_small"])
def test_model_is_found_by_its_folder_or_any_file(model, name):
    for path in model.glob("*pir*"):
        path.unlink()
    program, parameters = find_parts(model / name)
    assert (program.name, parameters.name) == ("inference_small.pdmodel", "inference_small.pdiparams")


def test_missing_parts_are_named(model, tmp_path):
    (model / "inference_small.pdmodel").unlink()
    with pytest.raises(WeightsError, match="without its program"):
        find_parts(model / "inference_small.pdiparams")
    (model / "inference_small_pir.pdiparams").unlink()
    with pytest.raises(WeightsError, match=r"inference_small_pir\.pdiparams is not beside it"):
        find_parts(model / "inference_small_pir.json")
    with pytest.raises(WeightsError, match="holds no Paddle inference model"):
        find_parts(model)


def test_names_beside_the_parameters_are_used(model):
    names = {"conv2d_0.w_0": {"structured_name": "conv.weight"}}
    (model / "inference_small.pdiparams.info").write_bytes(pickle.dumps(names))
    weights = read_paddle_inference(model / "inference_small.pdmodel")
    assert weights.names[weights.layers[0].source] == "conv.weight"


@pytest.mark.parametrize("name", ["inference_small.pdmodel", "inference_small_pir.json"])
def test_cut_or_foreign_program(model, name):
    path = model / name
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="not a complete Paddle inference program"):
        read_program(path)
    path.write_bytes(json.dumps({"base_code": {"magic": "other"}}).encode() if path.suffix == ".json" else b"\xff" * 9)
    with pytest.raises(WeightsError, match="not a complete Paddle inference program"):
        read_program(path)
