"""Networks against real PaddleOCR on Paddle with the same weights (numbers made by make_golden/models.py).

Compared: parameter names and shapes (so checkpoints map by renaming), and outputs in eval and, for detection, in
train mode. Tolerances: float32 through some forty layers. Difference on purpose: recognition gives logits, PaddleOCR
probabilities; NRTR's table of positions is not part of the state.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from model_weights import CLASSES, NRTR_WIDTH, TOKENS, image, memory, seeded, thinned
from torch import nn

from ocrtune.config.component import Component
from ocrtune.config.schema import Architecture
from ocrtune.core.charset import Charset
from ocrtune.models.backbones import mobilenet_v1_enhance, mobilenet_v3
from ocrtune.models.build import build_model
from ocrtune.models.encoders import rnn
from ocrtune.models.heads import ctc, db, nrtr
from ocrtune.models.necks import db_fpn, sequence

pytestmark = pytest.mark.parity
GOLDEN = Path(__file__).parent / "golden"
SHAPES = json.loads((GOLDEN / "models.json").read_text())
OUTPUTS = np.load(GOLDEN / "models.npz")
CHARSET = Charset([chr(0x4E00 + i) for i in range(CLASSES - 1)])


def build(kind: str) -> nn.Module:
    if kind == "nrtr":
        return nrtr.NRTRDecoder(nrtr.Options(nrtr_dim=NRTR_WIDTH, num_decoder_layers=2), CHARSET)
    if kind == "rec":
        neck = sequence.Options("rnn", rnn.Options(hidden_size=64))
        rec = Architecture(
            "rec",
            Component("MobileNetV1Enhance", mobilenet_v1_enhance.Options(scale=0.5)),
            Component("CTCHead", ctc.Options(mid_channels=96, fc_decay=0.00002)),
            Component("SequenceEncoder", neck),
        )
        return build_model(rec, CHARSET)
    det = Architecture(
        "det",
        Component("MobileNetV3", mobilenet_v3.Options("large", 0.5, disable_se=True)),
        Component("DBHead", db.Options(k=50)),
        Component("DBFPN", db_fpn.Options(out_channels=96)),
    )
    return build_model(det, None)


def linear_weights(model: nn.Module) -> set[str]:
    """Names of the weights that Paddle keeps as (in, out)."""
    return {f"{name}.weight" for name, module in model.named_modules() if isinstance(module, nn.Linear)}


def with_seeded_weights(kind: str) -> nn.Module:
    model = build(kind)
    transposed = linear_weights(model)
    state = model.state_dict()
    for name, shape in SHAPES[kind].items():
        values = torch.from_numpy(seeded(name, tuple(shape)))
        state[name].copy_(values.T if name in transposed else values)
    return model.eval()


@pytest.mark.parametrize("kind", ["rec", "det", "nrtr"])
def test_names_and_shapes_are_paddleocrs(kind: str) -> None:
    model = build(kind)
    transposed = linear_weights(model)
    ours = {
        name: list(value.shape)[:: -1 if name in transposed else 1]
        for name, value in model.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    assert ours == SHAPES[kind]


@torch.no_grad()
def test_recognition_equals_paddleocr() -> None:
    logits = with_seeded_weights("rec")(torch.from_numpy(image("rec")))["ctc"]
    np.testing.assert_allclose(logits.softmax(-1).numpy(), OUTPUTS["rec"], atol=1e-5)


@torch.no_grad()
def test_detection_equals_paddleocr() -> None:
    model, page = with_seeded_weights("det"), torch.from_numpy(image("det"))
    np.testing.assert_allclose(thinned(model(page)["shrink"].numpy()), OUTPUTS["det_eval"], atol=1e-4)
    outputs = model.train()(page)
    found = torch.cat([outputs[name] for name in ("shrink", "threshold", "binary")], 1)
    np.testing.assert_allclose(thinned(found.numpy()), OUTPUTS["det_train"], atol=1e-3)


@torch.no_grad()
def test_nrtr_equals_paddleocr() -> None:
    """Rows that read padding are left out: Paddle embeds padding as zeros; no loss looks at them."""
    logits = with_seeded_weights("nrtr")(torch.from_numpy(memory()), {"nrtr": torch.from_numpy(TOKENS)})
    read = TOKENS[:, :-1] != 0
    np.testing.assert_allclose(logits.numpy()[read], OUTPUTS["nrtr"][read], atol=1e-4)
