"""The filled PyTorch models against ONNX Runtime on the same file: max absolute difference below 1e-4.

Compared are what the files output: the shrink map, and class probabilities. Each model runs on real images (labelled
sets in OCRTUNE_SHARED) through the codec's own preprocessing, and on drawn ones that need nothing.

Measured on more images: detection 16 pages, max 5.4e-5; PP-OCRv6_small_rec 100 crops, max 1.4e-4, median below 4e-7;
PP-OCRv2_rec 100 crops, max 2.0e-4, median about 1e-5. The two values above 1e-4 are one crop each, where
float32 rounding decides: against float64 PyTorch is off by 2.0e-4 and 1.0e-4 there, ONNX Runtime by 6e-5 and 1.0e-4.
"""

from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort
import pytest
import torch

from ocrtune.codec.image import DetPreprocess, RecPreprocess
from ocrtune.weights import catalogue
from ocrtune.weights.released import load_released

pytestmark = pytest.mark.parity

DETECTION, RECOGNITION = ["PP-OCRv6_small_det"], ["PP-OCRv6_small_rec", "PP-OCRv2_rec"]
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def models():
    """Name -> (network, ONNX Runtime session), each built once."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    built = {}

    def get(name):
        if not catalogue.find(name).is_installed():
            pytest.skip(f"{name} needs: {catalogue.find(name).wheel.install}")
        if name not in built:
            options = ort.SessionOptions()
            options.intra_op_num_threads = 1
            options.log_severity_level = 3
            session = ort.InferenceSession(str(catalogue.find(name).path()), options)
            built[name] = (load_released(name)[0], session)
        return built[name]

    yield get
    torch.set_num_threads(threads)


def difference(model, session, tensor):
    """(max absolute difference, ONNX output) for one (3, H, W) tensor."""
    expected = session.run(None, {session.get_inputs()[0].name: tensor[None]})[0]
    with torch.no_grad():
        outputs = model(torch.from_numpy(tensor[None]))
    found = outputs["shrink"] if "shrink" in outputs else outputs["ctc"].softmax(-1)
    assert found.shape == expected.shape
    return float(np.abs(found.numpy() - expected).max()), expected


def first_lines(label_file: Path, count: int):
    """``count`` image paths spread evenly over a label file."""
    lines = label_file.read_text(encoding="utf-8").splitlines()
    return [label_file.parent / line.split("\t")[0] for line in lines[:: max(1, len(lines) // count)][:count]]


def drawn(height, width, text):
    """A page or line with dark text on an uneven background."""
    image = np.full((height, width, 3), (200, 215, 225), np.uint8)
    image[:, :, 0] -= np.linspace(0, 60, width, dtype=np.uint8)
    size = height / 50 if height < 100 else 1.6
    for y in range(int(min(height * 0.8, 80)), height, 90):
        cv2.putText(image, text, (6, y), cv2.FONT_HERSHEY_SIMPLEX, size, (40, 30, 20), 3, cv2.LINE_AA)
    return image


@pytest.mark.parametrize("name", DETECTION)
def test_detection_on_real_images(models, shared, name):
    model, session = models(name)
    preprocess = DetPreprocess.from_dict({**catalogue.find(name).preprocess, "limit_side_len": 640})
    data = shared / "data"
    paths = first_lines(data / "wire_markers" / "test.txt", 4) + first_lines(data / "icdar2015" / "test.txt", 2)
    surest = []
    for path in paths:
        tensor, _ = preprocess(cv2.imread(str(path)))
        worst, expected = difference(model, session, tensor)
        assert worst < TOLERANCE, path
        surest.append(expected.max())
    assert np.median(surest) > 0.8, "the model finds nothing: the comparison would be empty"


@pytest.mark.parametrize("name", DETECTION)
def test_detection_on_a_drawn_page(models, name):
    model, session = models(name)
    tensor, _ = DetPreprocess.from_dict(catalogue.find(name).preprocess)(drawn(400, 500, "Volt 12.5 kWh"))
    worst, expected = difference(model, session, tensor)
    assert worst < TOLERANCE
    assert expected.max() > 0.8


@pytest.mark.parametrize("name", RECOGNITION)
def test_recognition_on_real_images(models, shared, name):
    model, session = models(name)
    preprocess = RecPreprocess.from_dict(catalogue.find(name).preprocess)
    data = shared / "data"
    paths = first_lines(data / "wire_markers" / "rec_test.txt", 8) + first_lines(data / "icdar2015" / "rec_test.txt", 8)
    surest = []
    for path in paths:
        worst, expected = difference(model, session, preprocess(cv2.imread(str(path))))
        assert worst < TOLERANCE, path
        surest.append(expected[:, :, 1:].max())
    assert np.median(surest) > 0.8, "the models read nothing: the comparison would be empty"


@pytest.mark.parametrize("name", RECOGNITION)
@pytest.mark.parametrize("width", [120, 700])
def test_recognition_on_a_drawn_line(models, name, width):
    model, session = models(name)
    tensor = RecPreprocess.from_dict(catalogue.find(name).preprocess)(drawn(60, width, "AB-12 kV"))
    worst, expected = difference(model, session, tensor)
    assert worst < TOLERANCE
    assert expected[:, :, 1:].max() > 0.8
