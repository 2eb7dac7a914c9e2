"""PPLCNetV3: parameters, shapes, what merging its branches keeps, which rates its parameters have."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from models_architectures import architecture, shaken
from torch import nn

from ocrtune.models.absorb import absorb_affines_
from ocrtune.models.backbones.lcnet_v3 import Affine, Block, Options, PPLCNetV3, RepLayer, rounded
from ocrtune.models.build import build_model
from ocrtune.models.decay import own_l2
from ocrtune.models.fold import fold_, restore_batchnorm_, to_form_
from ocrtune.models.rates import own_rates

V4_MOBILE_DET = architecture(
    "det",
    {"name": "PPLCNetV3", "scale": 0.75, "det": True},
    {"name": "RSEFPN", "out_channels": 96, "shortcut": True},
    {"name": "DBHead", "k": 50, "fix_nan": True},
)


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_parameter_counts_are_paddleocrs() -> None:
    assert count(build_model(V4_MOBILE_DET, None)) == 3_515_290
    assert count(PPLCNetV3(Options(scale=0.95))) == 4_891_620


@pytest.mark.parametrize(("width", "expected"), [(4, 16), (12, 16), (24, 32), (30.4, 32), (60.8, 64), (192, 192)])
def test_widths_are_multiples_of_16_and_lose_at_most_a_tenth(width: float, expected: int) -> None:
    assert rounded(width) == expected


def test_shapes() -> None:
    detection = PPLCNetV3(Options(scale=0.75, det=True, conv_kxk_num=1)).eval()
    with torch.no_grad():
        maps = detection(torch.zeros(1, 3, 64, 96))
    assert [tuple(x.shape[1:]) for x in maps] == [(12, 16, 24), (18, 8, 12), (42, 4, 6), (360, 2, 3)]
    recognition = PPLCNetV3(Options(scale=0.5, conv_kxk_num=1))
    for height in (32, 48, 64):  # of the multi-scale sampler
        assert recognition.train()(torch.zeros(2, 3, height, 64)).shape == (2, 256, 1, 8)
    assert recognition.eval()(torch.zeros(1, 3, 48, 64)).shape == (1, 256, 1, 8)


SHAPES = {
    "identity, 1x1 and depthwise": (8, 8, 5, 1, 8),
    "depthwise, no identity": (8, 8, 3, (2, 1), 8),
    "depthwise, not activated": (8, 8, 3, 2, 8),
    "dense": (8, 12, 1, 1, 1),
    "dense with identity": (8, 8, 1, 1, 1),
    "two groups with identity": (8, 8, 3, 1, 2),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_merging_keeps_the_function(shape: tuple) -> None:
    layer = shaken(RepLayer(*shape, branches=3))
    x = torch.randn(2, shape[0], 9, 10, dtype=torch.float64)
    with torch.no_grad():
        expected = layer(x)
        layer.merge_branches_()
        torch.testing.assert_close(layer(x), expected, rtol=1e-12, atol=1e-12)
    assert {name for name, _ in layer.named_parameters()} == {
        *("reparam_conv.weight", "reparam_conv.bias", "lab.scale", "lab.bias", "act.lab.scale", "act.lab.bias")
    }
    merged = layer.reparam_conv.weight.clone()
    layer.merge_branches_()
    assert torch.equal(layer.reparam_conv.weight, merged), "merging twice changes nothing"


@pytest.mark.parametrize("before", ["merged", "folded"])
def test_folded_and_restored_forms_keep_the_function_and_reload(before: Literal["merged", "folded"]) -> None:
    options = Options(scale=0.35, det=True, conv_kxk_num=2)
    model = shaken(PPLCNetV3(options))
    image = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    with torch.no_grad():
        expected = model(image)
        torch.testing.assert_close(fold_(model, before)(image), expected, rtol=1e-9, atol=1e-9)
        kept = [name for name, module in model.named_modules() if isinstance(module, nn.BatchNorm2d)]
        assert kept == (["conv1.bn"] if before == "merged" else [])
        restore_batchnorm_(model, [image])
        torch.testing.assert_close(model(image), expected, rtol=1e-6, atol=1e-6)
        fresh = to_form_(PPLCNetV3(options).double().eval(), "restored")
        fresh.load_state_dict(model.state_dict())
        torch.testing.assert_close(fresh(image), model(image), rtol=0, atol=0)


@pytest.mark.parametrize("det", [True, False])
def test_absorbing_the_affines_keeps_the_function(det: bool) -> None:
    """Left are the last one of each block and, before an excitation, the one in between."""
    model = fold_(shaken(PPLCNetV3(Options(scale=0.35, det=det, conv_kxk_num=1))))
    image = torch.randn(1, 3, 48, 64, dtype=torch.float64)
    with torch.no_grad():
        expected = model(image)
        torch.testing.assert_close(absorb_affines_(model)(image), expected, rtol=1e-9, atol=1e-9)
    blocks = [module for module in model.modules() if isinstance(module, Block)]
    assert not any(isinstance(layer.lab, Affine) for block in blocks for layer in (block.dw_conv, block.pw_conv))
    for block in blocks:
        direct = isinstance(block.se, nn.Identity) and block.dw_conv.activated
        assert isinstance(block.dw_conv.act.lab, nn.Identity if direct else Affine)
        assert isinstance(block.pw_conv.act.lab, Affine)


def test_affines_stay_beside_a_batchnorm() -> None:
    """Training and restored forms keep them."""
    model = shaken(PPLCNetV3(Options(scale=0.35, conv_kxk_num=1)))
    names = set(model.state_dict())
    assert set(absorb_affines_(model).state_dict()) == names
    restore_batchnorm_(fold_(model), None)
    names = set(model.state_dict())
    assert set(absorb_affines_(model).state_dict()) == names


def test_only_the_unused_activations_do_not_learn() -> None:
    """PaddleOCR skips the activation of layers with stride 2; their two numbers are in its checkpoints."""
    frozen = [n for n, p in PPLCNetV3(Options(scale=0.35, det=True)).named_parameters() if not p.requires_grad]
    expected = [f"blocks{stage}.0.dw_conv.act.lab.{name}" for stage in (3, 4, 5, 6) for name in ("scale", "bias")]
    assert frozen == expected
    assert all(p.requires_grad for p in PPLCNetV3(Options(scale=0.35)).parameters())


def test_scales_and_shifts_learn_at_a_tenth_of_the_rate() -> None:
    model = PPLCNetV3(Options(scale=0.35, conv_kxk_num=1))
    affine = {name for name, _ in model.named_parameters() if ".lab." in name}
    assert own_rates(model) == dict.fromkeys(affine, 0.1)
    slow = PPLCNetV3(Options(scale=0.35, conv_kxk_num=1, lr_mult_list=(0, 1, 0.5, 1, 1, 1), lab_lr=0.2))
    rates = own_rates(slow)
    assert rates["conv1.bn.weight"] == 0
    assert "blocks2.0.dw_conv.conv_kxk.0.conv.weight" not in rates
    assert rates["blocks3.1.dw_conv.identity.bias"] == 0.5
    assert rates["blocks3.1.pw_conv.act.lab.bias"] == pytest.approx(0.1)


def test_norms_of_convolutions_carry_no_l2_but_that_of_the_identity_does() -> None:
    factors = own_l2(PPLCNetV3(Options(scale=0.35, conv_kxk_num=1)))
    assert factors["blocks3.1.dw_conv.conv_kxk.0.bn.weight"] == factors["conv1.bn.bias"] == 0
    assert not any("identity" in name or "conv.weight" in name for name in factors)
