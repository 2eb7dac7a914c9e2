"""``.pdparams`` by name: our networks give what PaddleOCR's own gave with the same parameters (max difference 1e-4;
measured 1.3e-5 on a map that uses all of 0..1, 1e-6 on class probabilities).

The golden files are made by ``make_golden/weights.py``; every parameter is regenerated from its Paddle name.
"""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
import weights_inputs as inputs

from ocrtune.core.charset import Charset
from ocrtune.weights import catalogue
from ocrtune.weights.load import load_weights
from ocrtune.weights.pdparams import read_pdparams, write_pdparams
from ocrtune.weights.released import build_section

pytestmark = pytest.mark.parity
GOLDEN = Path(__file__).parent / "golden"
SHAPES = json.loads((GOLDEN / "weights.json").read_text())
OUTPUTS = np.load(GOLDEN / "weights.npz")
CHARSET = Charset("0123456789abcdefghi", use_space_char=True)
STUDENT = {  # PaddleOCR configs/det/ch_PP-OCRv2/ch_PP-OCRv2_det_student.yml
    "model_type": "det",
    "algorithm": "DB",
    "Backbone": {"name": "MobileNetV3", "scale": 0.5, "model_name": "large", "disable_se": True},
    "Neck": {"name": "DBFPN", "out_channels": 96},
    "Head": {"name": "DBHead", "k": 50},
}


def network(name):
    section = catalogue.find("PP-OCRv2_rec").architecture if name == "v2_rec" else STUDENT
    return build_section(section, CHARSET if name == "v2_rec" else None)


@pytest.mark.parametrize("prefix", ["", "Student."])
@pytest.mark.parametrize("name", list(inputs.IMAGES))
def test_checkpoint_with_paddleocrs_names_gives_paddleocrs_output(tmp_path, name, prefix):
    tensors = {prefix + key: inputs.tensor(key, tuple(shape)) for key, shape in SHAPES[name].items()}
    write_pdparams(tmp_path / "best_accuracy.pdparams", tensors)
    model = network(name)
    report = load_weights(model, tmp_path / "best_accuracy.pdparams", charset=CHARSET if name == "v2_rec" else None)
    assert report.complete
    assert report.share == 1.0
    assert not report.training_only
    assert not report.unexpected
    assert len(report.loaded) == len(tensors)
    with torch.no_grad():
        outputs = model.eval()(torch.from_numpy(inputs.image(name)))
    found = outputs["shrink"] if "shrink" in outputs else outputs["ctc"].softmax(-1)
    assert OUTPUTS[name].std() > 0.01, "a constant output would compare nothing"
    np.testing.assert_allclose(found.numpy(), OUTPUTS[name], atol=1e-4, rtol=0)


def test_file_written_by_paddle_is_read():
    found = read_pdparams(GOLDEN / "weights_mixed.pdparams")
    assert len(found) == 8 + 2 * 16  # LSTM weights are there under two names
    for name in ("conv.weight", "bn._variance", "fc.weight", "lstm.weight_hh_l1_reverse"):
        np.testing.assert_array_equal(found[name], inputs.tensor(name, found[name].shape))
    np.testing.assert_array_equal(found["lstm.1.cell_bw.weight_hh"], found["lstm.weight_hh_l1_reverse"])


def test_file_written_by_us_has_the_form_that_paddle_writes(tmp_path):
    theirs = pickle.loads((GOLDEN / "weights_mixed.pdparams").read_bytes())  # our own golden file
    write_pdparams(tmp_path / "x.pdparams", read_pdparams(GOLDEN / "weights_mixed.pdparams"))
    ours = pickle.loads((tmp_path / "x.pdparams").read_bytes())
    assert set(theirs) - set(ours) == {"StructuredToParameterName@@"}
    for name, value in ours.items():
        assert (type(value), value.dtype, value.shape) == (np.ndarray, theirs[name].dtype, theirs[name].shape)
