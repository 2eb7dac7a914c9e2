"""Recognisers whose guiding head stays behind, and one that reads a single image size: exported, run, compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ocrtune.core.charset import Charset
from ocrtune.core.records import ModelCard
from ocrtune.export.onnx import export_model
from ocrtune.inference import Session
from ocrtune.weights.released import build_section

CARD = ModelCard("rec", "tiny", {"image_shape": [3, 32, 64]}, {})
CHARSET = Charset(["a", "b", "度"], use_space_char=True)
SVTR = {"name": "svtr", "dims": 16, "hidden_dims": 16, "use_guide": True}
SVTRNET = {
    "name": "SVTRNet",
    "img_size": [48, 64],
    "embed_dim": [16, 16, 32],
    "depth": [1, 1, 1],
    "num_heads": [2, 2, 2],
    "mixer": ["Local", "Conv", "Global"],
    "local_mixer": [[3, 5], [3, 5], [3, 5]],
    "out_channels": 32,
    "last_stage": False,
}
MV3 = {"name": "MobileNetV3", "model_name": "small", "scale": 0.5, "small_stride": [1, 2, 2, 2]}


def guided(backbone: dict[str, Any], guide: str, options: dict[str, Any], **head: bool) -> dict[str, Any]:
    branches = [{"CTCHead": {"Neck": SVTR, "Head": {}}}, {guide: options}]
    return {"model_type": "rec", "Backbone": backbone, "Head": {"name": "MultiHead", "head_list": branches, **head}}


SECTIONS = {
    "sar": (guided({"name": "MobileNetV1Enhance", "scale": 0.5}, "SARHead", {"enc_dim": 16, "d_k": 16}), 32),
    "pooled": (guided(SVTRNET, "NRTRHead", {"nrtr_dim": 32}, use_pool=True, use_pos=True), 48),
    "mv3": (
        {
            "model_type": "rec",
            "Backbone": MV3,
            "Neck": {"name": "SequenceEncoder", "encoder_type": "rnn"},
            "Head": {"name": "CTCHead", "return_feats": True},
        },
        32,
    ),
}


@pytest.mark.parametrize("name", SECTIONS)
def test_file_answers_as_the_model(name: str, tmp_path: Path) -> None:
    """At another batch size and other widths than the example the tracer saw; SVTRNet squeezes them to its own."""
    torch.manual_seed(0)
    section, height = SECTIONS[name]
    model = build_section(section, CHARSET)
    guide = {"nrtr": torch.tensor([[2, 4, 3]] * 4), "sar": torch.tensor([[5, 1, 5]] * 4)}
    with torch.no_grad():
        model.train()(torch.rand(4, 3, height, 64), guide)  # BatchNorm statistics that are not the initial ones
    session = Session(export_model(model.eval(), CARD, CHARSET, tmp_path / "model.onnx", height=height), threads=1)
    for batch, width in [(1, 64), (3, 96), (2, 200)]:
        image = torch.rand(batch, 3, height, width)
        with torch.no_grad():
            expected = model(image)["ctc"].softmax(-1).numpy()
        found = session.run(image.numpy())
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, atol=1e-5)
        assert np.ptp(expected[0], axis=0).max() > 1e-3, "an answer that is alive"
