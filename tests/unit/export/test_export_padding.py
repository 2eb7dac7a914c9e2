"""Paddings in exported files: constant numbers, the same values, heights that stay known."""

import numpy as np
import onnx
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ocrtune.core.charset import Charset
from ocrtune.core.records import ModelCard
from ocrtune.export.onnx import export_model
from ocrtune.export.padding import onnx_pads
from ocrtune.inference import Session

CARD = ModelCard("rec", "tiny", {"image_shape": [3, 48, 320]}, {})
LETTERS = Charset(["a", "b", "度"], use_space_char=True)


class Padded(nn.Module):
    """Pads like the stems of PP-OCRv5 and v6, then (N, 3, 48, W) -> logits (N, W / 8, 5)."""

    def __init__(self, value):
        super().__init__()
        torch.manual_seed(0)
        self.value = value
        self.first = nn.Conv2d(3, 4, 2)
        self.last = nn.Conv2d(4, 5, (48, 8), (48, 8))

    def forward(self, image, targets=None):
        x = F.pad(self.first(F.pad(image, (0, 1, 0, 1))), (2, 1, 1, 2), value=self.value)
        return {"ctc": self.last(x[:, :, 1:49, 2:]).squeeze(2).transpose(1, 2)}


@pytest.mark.parametrize("value", [None, 0.0, -3.5])
def test_numbers_are_constants_and_values_the_same(tmp_path, value):
    model = Padded(value).eval()
    path = export_model(model, CARD, LETTERS, tmp_path / "model.onnx", height=48)
    image = torch.rand(2, 3, 48, 203, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = model(image)["ctc"].softmax(-1).numpy()
    np.testing.assert_allclose(Session(path, threads=1).run(image.numpy()), expected, atol=1e-5)
    graph = onnx.load(path).graph
    constants = {node.output[0] for node in graph.node if node.op_type == "Constant"}
    constants |= {tensor.name for tensor in graph.initializer}
    pads = [node for node in graph.node if node.op_type == "Pad"]
    assert len(pads) == 2
    assert all(name in constants for node in pads for name in node.input[1:])
    assert {node.op_type for node in graph.node}.isdisjoint({"If", "ConstantOfShape"})


def test_order_of_the_axes():
    assert onnx_pads([1, 2], 2) == [0, 1, 0, 2]
    assert onnx_pads([1, 2, 3, 4], 4) == [0, 0, 3, 1, 0, 0, 4, 2]


def test_other_paddings_are_refused(tmp_path):
    model = Padded(None).eval()
    model.first = nn.Conv2d(3, 4, 2, padding_mode="reflect", padding=1)
    with pytest.raises(Exception, match="'reflect' cannot be exported"):
        export_model(model, CARD, LETTERS, tmp_path / "model.onnx", height=48)
    assert list(tmp_path.iterdir()) == []
