"""The distillation losses against real PaddleOCR on Paddle (numbers made by make_golden/distillation.py).

Each case is a ``loss_config_list`` in PaddleOCR's own spelling, read by both sides. Known difference on purpose: the
symmetric divergence of maps is one value per image there and their mean here (``losses/divergence.py``).
Tolerances: float32 sums in another order.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from distillation_inputs import CASES, IMAGES, labels, loss_config_list, outputs
from loss_inputs import summary

from ocrtune.core.options import Findings
from ocrtune.losses.registry import losses

pytestmark = pytest.mark.parity
GOLDEN = np.load(Path(__file__).parent / "golden" / "distillation.npz")
NAMES = {"gtc": "nrtr"}
MAPS = ("shrink", "threshold", "binary")


def flat(leaves: dict[str, dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """The tensors as ocrtune's DistillationModel gives them."""
    found: dict[str, torch.Tensor] = {}
    for network, parts in leaves.items():
        for key, value in parts.items():
            if key == "maps":
                found |= {f"{network}/{name}": part for name, part in zip(MAPS, value.split(1, dim=1))}
            else:
                found[f"{network}/{NAMES.get(key, key)}"] = value
    return found


@pytest.mark.parametrize("case", CASES)
def test_loss_and_gradients_equal_paddleocr(case: str) -> None:
    kind = CASES[case][0]
    findings = Findings()
    options = losses.parse("CombinedLoss", {"loss_config_list": loss_config_list(case)}, "Loss", findings)
    assert findings.problems == []
    leaves = {
        network: {key: torch.from_numpy(value).requires_grad_() for key, value in parts.items()}
        for network, parts in outputs(kind).items()
    }
    targets = {key: torch.from_numpy(value) for key, value in labels(kind).items()}
    found = losses.get("CombinedLoss").factory(options)(flat(leaves), targets)
    found["loss"].backward()
    np.testing.assert_allclose(found["loss"].item(), GOLDEN[f"{case}/values"][0], rtol=2e-6)
    compared = 0
    for network, parts in leaves.items():
        for key, value in parts.items():
            expected = GOLDEN.get(f"{case}/gradient/{network}/{key}")
            if expected is None:
                assert value.grad is None or not value.grad.any(), f"{network}/{key}"
                continue
            got = summary(np.zeros(value.shape) if value.grad is None else value.grad.numpy())
            np.testing.assert_allclose(got[1], expected[1], rtol=1e-5, atol=1e-9)
            np.testing.assert_allclose(got[0], expected[0], rtol=1e-4, atol=1e-5 * expected[1])
            np.testing.assert_allclose(got[2:], expected[2:], rtol=2e-5, atol=2e-6 * np.abs(expected[2:]).max() + 1e-9)
            compared += 1
    assert compared


def test_which_losses_have_one_value_per_image_in_paddleocr() -> None:
    per_image = {case for case in CASES if GOLDEN[f"{case}/values"][1] == IMAGES}
    assert per_image == {case for case in CASES if case.startswith(("det_cml", "det_dml"))} | {"dml_softmax_mean"}
