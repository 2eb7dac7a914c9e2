"""The gradient of dense weights is PyTorch's, whatever the memory layout it is summed in."""

import copy

import pytest
import torch
from torch import Tensor, nn

from ocrtune.training.dense import DenseConv2d, planes_of, speed_up_dense_


def gradients(model: nn.Module, x: Tensor) -> list[Tensor]:
    x = x.clone().requires_grad_()
    y = model(x)
    weights = torch.linspace(-1, 3, y.numel()).reshape_as(y)
    return list(torch.autograd.grad((y * weights).sum(), [x, *model.parameters()]))


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("stride", [1, 2])
def test_gradients_are_those_of_pytorch(stride: int, bias: bool) -> None:
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(32, 5, 3, stride, 1, bias=bias)).to(memory_format=torch.channels_last)
    fast = copy.deepcopy(plain)
    assert speed_up_dense_(fast) == 1
    x = torch.randn(2, 32, 64, 70).to(memory_format=torch.channels_last)
    assert type(fast(x).grad_fn).__name__ != "ConvolutionBackward0"
    for mine, theirs in zip(gradients(fast, x), gradients(plain, x), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5 * float(theirs.abs().max()))


def test_only_wide_3x3_layers_are_changed_and_nothing_is_renamed() -> None:
    layers = [nn.Conv2d(32, 4, 3, bias=False), nn.Conv2d(4, 32, 3, bias=False), nn.Conv2d(32, 4, 1, bias=False)]
    model = nn.Sequential(*layers)
    parameters = dict(model.named_parameters())
    assert speed_up_dense_(model) == 1
    assert [type(layer) for layer in model] == [DenseConv2d, nn.Conv2d, nn.Conv2d]
    assert all(value is parameters[name] for name, value in model.named_parameters())


def test_small_maps_frozen_weights_and_autocast_go_pytorchs_way() -> None:
    model = nn.Sequential(nn.Conv2d(32, 4, 3, bias=False))
    speed_up_dense_(model)
    assert type(model(torch.randn(1, 32, 9, 9)).grad_fn).__name__ == "ConvolutionBackward0"
    x = torch.randn(1, 32, 64, 64)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert model(x).dtype == torch.bfloat16
    model.requires_grad_(False)
    assert model(x).grad_fn is None


@pytest.mark.parametrize("shape", [(2, 3, 4, 8), (1, 5, 3, 7), (3, 1, 1, 2), (2, 40, 17, 16)])
def test_planes_are_a_copy_in_another_order(shape: tuple[int, ...]) -> None:
    x = torch.randn(shape).to(memory_format=torch.channels_last)
    found = planes_of(x)
    assert found.is_contiguous()
    assert torch.equal(found, x)


def test_planes_of_planes_are_no_copy() -> None:
    x = torch.randn(2, 3, 4, 8)
    assert planes_of(x) is x
