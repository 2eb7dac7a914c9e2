"""Loss values and input gradients against real PaddleOCR on Paddle (numbers made by make_golden/losses.py).

Tolerances: float32 sums in another order. Known difference on purpose: none; see the case "infeasible" for what
PaddleOCR does with a text that does not fit.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from loss_inputs import ctc_case, det_case, nrtr_case, summary

from ocrtune.losses.ctc import CTCLoss, CTCLossOptions
from ocrtune.losses.db import DBLoss, DBLossOptions
from ocrtune.losses.nrtr import NRTRLoss, NRTRLossOptions

pytestmark = pytest.mark.parity
GOLDEN = np.load(Path(__file__).parent / "golden" / "losses.npz")
V6 = DBLossOptions(
    main_loss_type="DiceFocalLoss", focal_gamma=2.5, aux_weight_p4=0.2, aux_weight_p3=0.3, aux_weight_p2=0.4
)
TARGETS = ("shrink_map", "shrink_mask", "threshold_map", "threshold_mask")


def assert_gradient(key: str, gradient: torch.Tensor | None) -> None:
    expected = GOLDEN[key]
    found = summary(np.zeros(1) if gradient is None else gradient.numpy())
    scale = np.abs(expected[2:]).max() + 1e-12
    np.testing.assert_allclose(found[1], expected[1], rtol=2e-5, atol=1e-9)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-3, atol=2e-5 * max(expected[1], 1e-6))
    np.testing.assert_allclose(found[2:], expected[2:], rtol=1e-4, atol=2e-6 * scale)


@pytest.mark.parametrize("name", ["random", "real", "blank", "mixed"])
@pytest.mark.parametrize(("kind", "options"), [("db_dice", DBLossOptions()), ("db_dice_focal", V6)])
def test_db_loss_equals_paddleocr(kind: str, options: DBLossOptions, name: str) -> None:
    case = {key: torch.from_numpy(value) for key, value in det_case(name).items()}
    heads = {key: case[key].clone().requires_grad_() for key in ("maps", "aux_p2", "aux_p3", "aux_p4")}
    outputs = dict(zip(("shrink", "threshold", "binary"), heads["maps"].split(1, dim=1)))
    outputs |= {key: value for key, value in heads.items() if key != "maps"}
    found = DBLoss(options)(outputs, {key: case[key] for key in TARGETS})
    found["loss"].backward()
    values = [found[key].item() for key in ("loss", "loss_shrink_maps", "loss_threshold_maps", "loss_binary_maps")]
    np.testing.assert_allclose(values, GOLDEN[f"{kind}/{name}/values"], rtol=2e-5, atol=1e-6)
    compared = [key for key in heads if f"{kind}/{name}/gradient_{key}" in GOLDEN]
    assert compared == (["maps"] if kind == "db_dice" else list(heads))
    for key in compared:
        assert_gradient(f"{kind}/{name}/gradient_{key}", heads[key].grad)


@pytest.mark.parametrize("name", ["random", "real", "infeasible"])
@pytest.mark.parametrize("focal", [False, True])
def test_ctc_loss_equals_paddleocr(focal: bool, name: str) -> None:
    case = {key: torch.from_numpy(value) for key, value in ctc_case(name).items()}
    logits = case["logits"].requires_grad_()
    found = CTCLoss(CTCLossOptions(focal))({"ctc": logits}, {"ctc": case["labels"], "length": case["lengths"]})
    found["loss"].backward()
    kind = "ctc_focal" if focal else "ctc"
    np.testing.assert_allclose(found["loss"].item(), GOLDEN[f"{kind}/{name}/values"][0], rtol=1e-5)
    assert_gradient(f"{kind}/{name}/gradient_logits", logits.grad)
    assert found["infeasible"] == (1 if name == "infeasible" else 0)


@pytest.mark.parametrize("name", ["random", "real"])
@pytest.mark.parametrize("smoothing", [True, False])
def test_nrtr_loss_equals_paddleocr(smoothing: bool, name: str) -> None:
    case = {key: torch.from_numpy(value) for key, value in nrtr_case(name).items()}
    logits = case["logits"].requires_grad_()
    found = NRTRLoss(NRTRLossOptions(smoothing))({"nrtr": logits}, {"nrtr": case["labels"]})
    found["loss"].backward()
    kind = "nrtr" if smoothing else "nrtr_plain"
    np.testing.assert_allclose(found["loss"].item(), GOLDEN[f"{kind}/{name}/values"][0], rtol=1e-5)
    assert_gradient(f"{kind}/{name}/gradient_logits", logits.grad)
