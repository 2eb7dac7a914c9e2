"""The distillation losses against real PaddleOCR on Paddle (numbers made by make_golden/distillation.py).

Each case is a ``loss_config_list`` in PaddleOCR's own spelling, read by both sides. Known difference on purpose: the
symmetric divergence of maps is one value per image there and their mean here (``losses/divergence.py``).
Tolerances: Paddle adds up the pixels in float32 one after the other; against float64 its gradients of Dice are off by
4e-5, ours by 3e-8.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from distillation_inputs import (
    CASES,
    CLASSES,
    IMAGES,
    MODELS,
    gradient_numbers,
    image,
    labels,
    loss_config_list,
    outputs,
)
from loss_inputs import summary
from model_weights import alive, thinned
from torch import nn

from ocrtune.config import Distillation, Registries
from ocrtune.config.registries import read_components
from ocrtune.core.charset import Charset
from ocrtune.core.options import Findings, parse_options
from ocrtune.losses.registry import losses
from ocrtune.models.build import build_model
from ocrtune.models.distillation import DistillationModel
from ocrtune.models.registry import backbones, heads, necks

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


def combined(case: str) -> nn.Module:
    findings = Findings()
    options = losses.parse("CombinedLoss", {"loss_config_list": loss_config_list(case)}, "Loss", findings)
    assert findings.problems == []
    return losses.get("CombinedLoss").factory(options)


@pytest.mark.parametrize("case", CASES)
def test_loss_and_gradients_equal_paddleocr(case: str) -> None:
    kind = CASES[case][0]
    leaves = {
        network: {key: torch.from_numpy(value).requires_grad_() for key, value in parts.items()}
        for network, parts in outputs(kind).items()
    }
    targets = {key: torch.from_numpy(value) for key, value in labels(kind).items()}
    found = combined(case)(flat(leaves), targets)
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
            np.testing.assert_allclose(got[1], expected[1], rtol=1e-4, atol=1e-9)
            np.testing.assert_allclose(got[0], expected[0], rtol=1e-4, atol=1e-5 * expected[1])
            np.testing.assert_allclose(got[2:], expected[2:], rtol=2e-5, atol=1e-4 * np.abs(expected[2:]).max() + 1e-9)
            compared += 1
    assert compared


def test_which_losses_have_one_value_per_image_in_paddleocr() -> None:
    per_image = {case for case in CASES if GOLDEN[f"{case}/values"][1] == IMAGES}
    assert per_image == {case for case in CASES if case.startswith(("det_cml", "det_dml"))} | {"dml_softmax_mean"}


def whole(case: str) -> DistillationModel:
    """The networks of ``MODELS`` with the weights that their names give."""
    findings = Findings()
    known = Registries(backbones=backbones, necks=necks, heads=heads)
    section = read_components({"Architecture": MODELS[case]}, known, findings)["Architecture"]
    architecture = parse_options(Distillation, section, "Architecture", findings)
    assert findings.problems == []
    assert architecture is not None
    charset = Charset([chr(0x4E00 + i) for i in range(CLASSES - 1)])
    model = build_model(architecture, charset if architecture.model_type == "rec" else None)
    assert isinstance(model, DistillationModel)
    linear = {f"{name}.weight" for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    state = {}
    for name, value in model.state_dict().items():
        shape = tuple(value.shape)[::-1] if name in linear else tuple(value.shape)  # Paddle's Linear is (in, out)
        values = alive(name, shape)
        state[name] = torch.from_numpy((values.T if name in linear else values).copy())
    model.load_state_dict(state)
    return model


@pytest.mark.parametrize("case", MODELS)
def test_a_whole_distillation_equals_paddleocr(case: str) -> None:
    """Eval outputs of every network, the training loss, and every gradient; the teacher in eval mode on both sides.

    The networks run in float64 on both sides; ours compute the loss in float32.
    """
    task, main = MODELS[case]["model_type"], "ctc" if CASES[case][0] == "ctc" else "shrink"
    model, pixels = whole(case).double(), torch.from_numpy(image(MODELS[case]["model_type"])).double()
    with torch.no_grad():
        evaluated = model.eval()(pixels)
    for name in MODELS[case]["Models"]:
        expected = GOLDEN[f"whole/{case}/eval/{name}"]
        found = evaluated[f"{name}/{main}"]
        found = (found.softmax(dim=2) if task == "rec" else found).numpy()
        assert expected.std() > 1e-3, "alive"
        np.testing.assert_allclose(thinned(found), expected, rtol=1e-5, atol=1e-6)
    targets = {key: torch.from_numpy(value) for key, value in labels(CASES[case][0]).items()}
    found_loss = combined(case)(model.train()(pixels, targets), targets)["loss"]
    found_loss.backward()
    np.testing.assert_allclose(found_loss.item(), GOLDEN[f"whole/{case}/loss"][0], rtol=1e-5)
    parameters = {name: value for name, value in model.named_parameters() if value.requires_grad}
    names = [str(name) for name in GOLDEN[f"whole/{case}/names"]]
    assert sorted(parameters) == sorted(names)
    for name, expected in zip(names, GOLDEN[f"whole/{case}/gradients"]):
        gradient = parameters[name].grad
        assert gradient is not None
        linear = gradient.ndim == 2 and isinstance(model.get_submodule(name.rpartition(".")[0]), nn.Linear)
        got = gradient_numbers((gradient.T if linear else gradient).numpy())
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-4 * expected[0] + 1e-6, err_msg=name)
