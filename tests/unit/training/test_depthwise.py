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


@pytest.mark.parametrize("geometry", [*GEOMETRIES, {"kernel_size": 3, "padding": 1, "stride": (2, 1)}], ids=str)
def test_gradients_in_bfloat16_are_at_least_as_exact_as_those_of_pytorch(geometry: dict[str, object]) -> None:
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(6, 6, groups=6, **{"bias": False, **geometry}))
    plain[0].weight.data = plain[0].weight.bfloat16().float()
    fast = copy.deepcopy(plain)
    assert speed_up_depthwise_(fast) == 1
    x = torch.randn(2, 6, 8, 13).bfloat16().float().to(memory_format=torch.channels_last)
    exact = gradients(copy.deepcopy(plain).double(), x.double())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found, theirs = gradients(fast, x), gradients(plain, x)
    for mine, other, value in zip(found, theirs, exact, strict=True):
        assert mine.dtype == torch.float32
        error, allowed = ((each - value).abs().max() / value.abs().max() for each in (mine, other))
        assert error <= allowed + 1e-3
        assert error < 0.02


def test_two_runs_give_equal_bits() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(16, 16, 5, padding=2, groups=16))
    speed_up_depthwise_(model)
    x = torch.randn(3, 16, 9, 21)
    assert all(map(torch.equal, gradients(model, x), gradients(model, x)))


def test_only_large_or_strided_depthwise_layers_are_changed_and_nothing_is_renamed() -> None:
    changed = [nn.Conv2d(8, 8, 5, groups=8), nn.Conv2d(8, 8, 3, 2, groups=8)]
    others = [nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 8, 5, groups=4), nn.Conv2d(8, 16, 5, groups=8)]
    model = nn.Sequential(*changed, *others)
    parameters = dict(model.named_parameters())
    assert speed_up_depthwise_(model) == 2
    assert [type(layer) for layer in model] == [*2 * [DepthwiseConv2d], *3 * [nn.Conv2d]]
    assert all(value is parameters[name] for name, value in model.named_parameters())
    assert speed_up_depthwise_(model) == 0


def test_frozen_weights_and_half_precision_go_pytorchs_way() -> None:
    model = nn.Sequential(nn.Conv2d(8, 8, 5, groups=8))
    speed_up_depthwise_(model)
    x = torch.randn(1, 8, 9, 9)
    assert type(model(x).grad_fn).__name__ != "ConvolutionBackward0"
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert type(model(x).grad_fn).__name__ == "_ConvolutionBackward"
        assert model(x).dtype == torch.bfloat16
    with torch.autocast("cpu", dtype=torch.float16):
        assert type(model(x).grad_fn).__name__ == "ConvolutionBackward0"
    model.requires_grad_(False)
    assert model(x).grad_fn is None


def test_without_numba_nothing_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(depthwise, "can_compile", lambda: False)
    model = nn.Sequential(nn.Conv2d(8, 8, 5, groups=8))
    assert speed_up_depthwise_(model) == 0
    assert type(model[0]) is nn.Conv2d
