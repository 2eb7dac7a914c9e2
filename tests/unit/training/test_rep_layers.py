"""Parallel branches merged while they learn do what the plain layers do."""

import copy

import pytest
import torch
from torch import Tensor, nn

from ocrtune.models.backbones.lcnet_v3 import RepLayer
from ocrtune.training.rep_layers import MergedRepLayer, merge_rep_layers_

SHAPES = {
    "1x1": (8, 12, 1),
    "1x1 with identity": (12, 12, 1),
    "3x3": (12, 12, 3, 1, 12),
    "3x3, stride 2": (12, 12, 3, 2, 12),
    "3x3, stride (2, 1)": (12, 12, 3, (2, 1), 12),
}


def layers(*shape: object) -> tuple[RepLayer, RepLayer]:
    """A plain layer as after training, and the merged one."""
    torch.manual_seed(0)
    plain = RepLayer(*shape, branches=3)
    with torch.no_grad():
        for parameter in plain.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
        for name, buffer in plain.named_buffers():
            if name.endswith("running_var"):
                buffer.uniform_(0.5, 1.5)
    fast = copy.deepcopy(plain)
    assert merge_rep_layers_(fast) == 1
    return plain.train(), fast.train()


def learnt(layer: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """Output, gradients and buffers, of two passes."""
    x = x.clone().requires_grad_()
    layer(x * 0.5)
    y = layer(x)
    (y * torch.randn(y.shape, generator=torch.Generator().manual_seed(3))).sum().backward()
    named = {name: value.grad for name, value in layer.named_parameters() if value.requires_grad}
    found = {"output": y.detach(), "input": x.grad, **named, **dict(layer.named_buffers())}
    return {name: value for name, value in found.items() if value is not None}


def images(channels: int, height: int = 9, width: int = 14) -> Tensor:
    """Far from mean 0, where a careless variance is wrong."""
    torch.manual_seed(1)
    return (torch.randn(2, channels, height, width) + torch.linspace(-3, 3, channels)[:, None, None]).contiguous(
        memory_format=torch.channels_last
    )


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_outputs_gradients_and_statistics_are_those_of_the_branches(shape: tuple[object, ...]) -> None:
    plain, fast = layers(*shape)
    assert type(fast) is MergedRepLayer
    x = images(plain.conv_kxk[0].conv.in_channels)
    expected, found = learnt(plain, x), learnt(fast, x)
    assert expected.keys() == found.keys()
    # the gradient of a number that BatchNorm divides out again, as of a depthwise 1x1, is nothing but rounding
    largest = max(float(value.abs().max()) for name, value in expected.items() if "." in name)
    for name, value in expected.items():
        torch.testing.assert_close(
            found[name], value, rtol=1e-4, atol=1e-5 * largest, msg=lambda told, name=name: f"{name}: {told}"
        )


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_in_bfloat16_they_are_about_as_exact_as_the_branches(shape: tuple[object, ...]) -> None:
    plain, fast = layers(*shape)
    exact = copy.deepcopy(plain).double()
    x = images(plain.conv_kxk[0].conv.in_channels, 40, 61).bfloat16().float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        expected, found = learnt(plain, x), learnt(fast, x)
    wanted = learnt(exact, x.double())
    wanted = {name: value for name, value in wanted.items() if value.is_floating_point()}
    largest = max(float(value.norm()) for name, value in wanted.items() if "." in name)
    for name, value in wanted.items():
        scale = max(float(value.norm()), 0.03 * largest)
        error, allowed = (float((each[name] - value).norm()) / scale for each in (found, expected))
        assert error <= 2 * allowed + 0.04, name


def test_eval_half_precision_frozen_norms_and_a_merged_layer_go_the_plain_way() -> None:
    plain, fast = layers(*SHAPES["1x1 with identity"])
    x = images(12)
    with torch.autocast("cpu", dtype=torch.float16):
        assert torch.equal(fast(x), plain(x))
    fast.conv_kxk[0].eval()
    plain.conv_kxk[0].eval()
    assert torch.equal(fast(x), plain(x))
    assert torch.equal(fast.eval()(x), plain.eval()(x))
    with torch.no_grad():
        for layer in (plain, fast):
            layer.merge_branches_()
    assert torch.equal(fast.train()(x), plain.train()(x))


def test_parameters_stay_the_same_objects() -> None:
    model = nn.Sequential(RepLayer(8, 8, 1), RepLayer(8, 8, 3, 2, 8))
    before = dict(model.named_parameters())
    assert merge_rep_layers_(model) > 0
    assert merge_rep_layers_(model) == 0
    assert all(value is before[name] for name, value in model.named_parameters())
