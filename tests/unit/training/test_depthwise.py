"""The fast gradient of depthwise weights is PyTorch's."""

import copy

import pytest
import torch
from torch import Tensor, nn

from ocrtune.training import depthwise
from ocrtune.training.depthwise import DepthwiseConv2d, speed_up_depthwise_

GEOMETRIES = [
    {"kernel_size": 5, "padding": 2},
    {"kernel_size": 5, "padding": 2, "stride": (2, 1)},
    {"kernel_size": 5, "padding": 2, "stride": 2},
    {"kernel_size": (1, 7), "padding": (0, 3)},
    {"kernel_size": 7, "padding": 6, "dilation": 2},
    {"kernel_size": 3, "padding": 2, "dilation": 2},
    {"kernel_size": 3, "padding": (1, 7), "dilation": (1, 3)},  # more padding than the kernel reaches
    {"kernel_size": 3, "padding": 3, "dilation": 3, "stride": (1, 2)},
    {"kernel_size": 5, "padding": 0, "stride": 3},
    {"kernel_size": 9, "padding": 4, "bias": True},  # wider than the image
]


def gradients(model: nn.Module, x: Tensor) -> list[Tensor]:
    x = x.clone().requires_grad_()
    weights = torch.linspace(-1, 1, model(x).numel()).reshape_as(model(x))
    return list(torch.autograd.grad((model(x) * weights).sum(), [x, *model.parameters()]))


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
@pytest.mark.parametrize("threads", [1, 3])
def test_gradients_are_those_of_pytorch(geometry: dict[str, object], threads: int) -> None:
    before = torch.get_num_threads()
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(6, 6, groups=6, **{"bias": False, **geometry}))
    fast = copy.deepcopy(plain)
    assert speed_up_depthwise_(fast) == 1
    assert type(fast[0]) is DepthwiseConv2d
    x = torch.randn(2, 6, 8, 13).to(memory_format=torch.channels_last)
    torch.set_num_threads(threads)
    try:
        found = gradients(fast, x)
    finally:
        torch.set_num_threads(before)
    for mine, theirs in zip(found, gradients(plain, x), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-5)


def test_two_runs_give_equal_bits() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(16, 16, 5, padding=2, groups=16))
    speed_up_depthwise_(model)
    x = torch.randn(3, 16, 9, 21)
    assert all(map(torch.equal, gradients(model, x), gradients(model, x)))


def test_only_large_depthwise_layers_are_changed_and_nothing_is_renamed() -> None:
    layers = [nn.Conv2d(8, 8, 5, groups=8), nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 8, 5, groups=4)]
    model = nn.Sequential(*layers, nn.Conv2d(8, 16, 5, groups=8))
    parameters = dict(model.named_parameters())
    assert speed_up_depthwise_(model) == 1
    assert [type(layer) for layer in model] == [DepthwiseConv2d, nn.Conv2d, nn.Conv2d, nn.Conv2d]
    assert all(value is parameters[name] for name, value in model.named_parameters())
    assert speed_up_depthwise_(model) == 0


def test_frozen_weights_and_autocast_go_pytorchs_way() -> None:
    model = nn.Sequential(nn.Conv2d(8, 8, 5, groups=8))
    speed_up_depthwise_(model)
    x = torch.randn(1, 8, 9, 9)
    assert type(model(x).grad_fn).__name__ != "ConvolutionBackward0"
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert model(x).dtype == torch.bfloat16
    model.requires_grad_(False)
    assert model(x).grad_fn is None


def test_without_numba_nothing_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(depthwise, "can_compile", lambda: False)
    model = nn.Sequential(nn.Conv2d(8, 8, 5, groups=8))
    assert speed_up_depthwise_(model) == 0
    assert type(model[0]) is nn.Conv2d
