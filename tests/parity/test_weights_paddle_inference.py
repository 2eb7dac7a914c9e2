"""Paddle's inference models by order: a network filled from the files gives what Paddle gave (max difference 1e-5).

The golden files are made by ``make_golden/inference.py``.
"""

from pathlib import Path

import inference_inputs as inputs
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ocrtune.weights.load import load_weights
from ocrtune.weights.paddle_reader import read_paddle_inference

pytestmark = pytest.mark.parity
GOLDEN = Path(__file__).parent / "golden"
FILES = ["inference_small.pdmodel", "inference_small.pdiparams", "inference_small_pir.json"]


class Affine(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale, self.bias = nn.Parameter(torch.ones(1)), nn.Parameter(torch.zeros(1))

    def forward(self, x):
        return self.scale * x + self.bias


class Small(nn.Module):
    """The network of ``make_golden/inference.py``."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, 2, 1, bias=False)
        self.bn = nn.BatchNorm2d(4)
        self.depthwise = nn.Conv2d(4, 4, 3, padding=1, groups=4)
        self.affine = Affine()
        self.up = nn.ConvTranspose2d(4, 5, 2, 2)
        self.norm = nn.LayerNorm(5, eps=1e-6)
        self.lstm = nn.LSTM(5, 3, num_layers=2, bidirectional=True, batch_first=True)
        self.fc = nn.Linear(6, 7)

    def forward(self, image, targets=None):
        x = self.affine(self.depthwise(F.hardswish(self.bn(self.conv(image)))))
        return {"ctc": self.fc(self.lstm(self.norm(self.up(x).mean(2).transpose(1, 2)))[0])}


@pytest.mark.parametrize("name", FILES)
def test_filled_network_gives_paddles_answer(name):
    model = Small()
    report = load_weights(model, GOLDEN / name)
    assert report.complete
    assert report.share == 1.0
    assert not report.unexpected
    with torch.no_grad():
        found = model.eval()(torch.from_numpy(inputs.image()))["ctc"].softmax(-1)
    expected = np.load(GOLDEN / "inference_small.npz")["probability"]
    assert expected.std() > 0.01, "a constant answer would compare nothing"
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-5, rtol=0)


def test_both_formats_hold_the_same_layers():
    old, new = (
        read_paddle_inference(GOLDEN / name) for name in ("inference_small.pdmodel", "inference_small_pir.json")
    )
    assert old.input_shape == new.input_shape == (None, 3, 32, None)
    for a, b in zip(old.layers, new.layers, strict=True):
        assert (a.kind, a.numbers) == (b.kind, b.numbers)
        for key in a.tensors:
            np.testing.assert_array_equal(a.tensors[key], b.tensors[key])
