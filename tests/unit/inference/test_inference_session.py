"""Loading files: what a session knows about a model, and the errors for files that are none."""

import subprocess
import sys

import numpy as np
import pytest
import tiny_onnx

from ocrtune.core.errors import ConfigError, WeightsError
from ocrtune.inference import Session

ENGINES = ["onnxruntime", "openvino"]


def _need(engine):
    if engine == "openvino":
        pytest.importorskip("openvino", reason="the openvino extra is not installed")


@pytest.mark.parametrize("engine", ENGINES)
def test_session_reads_task_classes_and_dictionary(tmp_path, engine):
    _need(engine)
    det = Session(tiny_onnx.detector(tmp_path / "det.onnx"), threads=1, engine=engine)
    assert (det.task, det.num_classes, det.characters, det.card) == ("det", None, None, None)
    rec = Session(tiny_onnx.recogniser(tmp_path / "rec.onnx", 4, {"character": "a\nb"}), threads=1, engine=engine)
    assert (rec.task, rec.num_classes, rec.characters, rec.input_height) == ("rec", 4, ("a", "b"), 48)
    assert rec.run(np.zeros((2, 3, 48, 64), np.float32)).shape == (2, 8, 4)


def test_both_engines_give_the_same_numbers(tmp_path):
    _need("openvino")
    path = tiny_onnx.recogniser(tmp_path / "rec.onnx", 9)
    image = np.random.default_rng(0).random((1, 3, 48, 160), np.float32)
    outputs = [Session(path, threads=1, engine=engine).run(image) for engine in ENGINES]
    np.testing.assert_allclose(outputs[0], outputs[1], atol=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_truncated_file(tmp_path, engine):
    _need(engine)
    whole = tiny_onnx.recogniser(tmp_path / "whole.onnx", 4).read_bytes()
    path = tmp_path / "model.onnx"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WeightsError, match=r"model\.onnx: cannot be loaded as an ONNX model") as caught:
        Session(path, threads=1, engine=engine)
    assert len(str(caught.value).splitlines()) == 1


def test_missing_file(tmp_path):
    with pytest.raises(WeightsError, match="no such model file"):
        Session(tmp_path / "absent.onnx")


def test_model_of_another_kind(tmp_path):
    with pytest.raises(WeightsError, match="not a text detection or recognition model"):
        Session(tiny_onnx.classifier(tmp_path / "cls.onnx"), threads=1)


def test_wrong_task_says_which_option_it_belongs_to(tmp_path):
    rec = Session(tiny_onnx.recogniser(tmp_path / "rec.onnx", 4), threads=1)
    with pytest.raises(WeightsError, match=r"this is a text recognition model.*--rec"):
        rec.require("det")


def test_image_size_the_network_cannot_take(tmp_path):
    session = Session(tiny_onnx.recogniser(tmp_path / "rec.onnx", 4), threads=1)
    with pytest.raises(WeightsError, match=r"failed on an input of shape \(1, 3, 32, 64\)"):
        session.run(np.zeros((1, 3, 32, 64), np.float32))


def test_unknown_engine(tmp_path):
    with pytest.raises(ConfigError, match="expected onnxruntime or openvino"):
        Session(tiny_onnx.detector(tmp_path / "det.onnx"), engine="tensorrt")


def test_importing_the_room_loads_little():
    """What keeps the start of `ocrtune predict` short: engines are imported when they are first used."""
    heavy = ("torch", "paddle", "onnx", "onnxruntime", "openvino", "scipy", "numba", "shapely")
    code = f"import sys, ocrtune.inference; print([name for name in {heavy!r} if name in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"
