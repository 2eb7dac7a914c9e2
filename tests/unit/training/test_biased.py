"""Convolutions learn the same, whoever adds up the gradient of their bias."""

import copy

import pytest
import torch
from torch import Tensor, nn

from ocrtune.training.biased import BiasedConv2d, FastConvTranspose2d, speed_up_biased_


def gradients(model: nn.Module, x: Tensor) -> list[Tensor]:
    x = x.clone().requires_grad_()
    y = model(x)
    weights = torch.linspace(0, 1, y.numel()).reshape_as(y)
    return list(torch.autograd.grad((y * weights).sum(), [x, *model.parameters()]))


@pytest.mark.parametrize("memory_format", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize(
    "layer",
    [
        nn.ConvTranspose2d(16, 4, 2, stride=2),
        nn.ConvTranspose2d(16, 1, 3, stride=2, padding=1, output_padding=1),
        nn.Conv2d(16, 7, 1),
        nn.Conv2d(16, 7, 3, stride=(2, 1), padding=1),
    ],
)
def test_outputs_and_gradients_are_those_of_pytorch(layer: nn.Module, memory_format: torch.memory_format) -> None:
    torch.manual_seed(0)
    plain = nn.Sequential(copy.deepcopy(layer)).to(memory_format=memory_format)
    fast = copy.deepcopy(plain)
    assert speed_up_biased_(fast) == 1
    x = torch.randn(2, 16, 40, 48).to(memory_format=memory_format)
    assert type(fast(x).grad_fn).__name__ in ("_TransposedBackward", "_ConvolutionBackward")
    torch.testing.assert_close(fast(x), plain(x))
    for mine, theirs in zip(gradients(fast, x), gradients(plain, x), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("memory_format", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize("layer", [nn.ConvTranspose2d(16, 4, 2, stride=2), nn.Conv2d(16, 7, 3, stride=(2, 1))])
def test_gradients_in_bfloat16_are_at_least_as_exact_as_those_of_pytorch(
    layer: nn.Module, memory_format: torch.memory_format
) -> None:
    torch.manual_seed(0)
    plain = nn.Sequential(copy.deepcopy(layer)).to(torch.bfloat16).float().to(memory_format=memory_format)
    fast = copy.deepcopy(plain)
    assert speed_up_biased_(fast) == 1
    x = torch.randn(2, 16, 40, 48).bfloat16().float().to(memory_format=memory_format)
    exact = gradients(copy.deepcopy(plain).double(), x.double())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert type(fast(x).grad_fn).__name__ in ("_TransposedBackward", "_ConvolutionBackward")
        assert fast(x).dtype == torch.bfloat16
        found, theirs = gradients(fast, x), gradients(plain, x)
    for mine, other, value in zip(found, theirs, exact, strict=True):
        error, allowed = ((each - value).abs().max() / value.abs().max() for each in (mine, other))
        assert error <= allowed + 1e-3
        assert error < 0.02


def test_nothing_is_renamed_and_layers_without_bias_stay() -> None:
    biased = [nn.ConvTranspose2d(3, 4, 2), nn.Conv2d(4, 4, 2)]
    others = [nn.ConvTranspose2d(4, 4, 2, bias=False), nn.Conv2d(4, 4, 2, bias=False), nn.Conv2d(4, 4, 2, groups=4)]
    model = nn.Sequential(*biased, *others)
    parameters = dict(model.named_parameters())
    assert speed_up_biased_(model) == 2
    assert [type(layer) for layer in biased] == [FastConvTranspose2d, BiasedConv2d]
    assert [type(layer) for layer in others] == [nn.ConvTranspose2d, nn.Conv2d, nn.Conv2d]
    assert all(value is parameters[name] for name, value in model.named_parameters())


def test_other_cases_go_pytorchs_way() -> None:
    model = FastConvTranspose2d(3, 4, 2, stride=2)
    x = torch.randn(1, 3, 9, 9)
    with torch.autocast("cpu", dtype=torch.float16):
        assert type(model(x).grad_fn).__name__ != "_TransposedBackward"
    assert model(x, [19, 19]).shape == (1, 4, 19, 19)
    with torch.no_grad():
        assert model(x).grad_fn is None
    small = nn.Sequential(nn.Conv2d(3, 4, 1))
    speed_up_biased_(small)
    assert type(small(x).grad_fn).__name__ == "ConvolutionBackward0"


def test_frozen_parts_get_no_gradient() -> None:
    model = FastConvTranspose2d(3, 4, 2, stride=2)
    model.bias.requires_grad_(False)
    model(torch.randn(1, 3, 9, 9)).sum().backward()
    assert model.bias.grad is None
    assert model.weight.grad is not None
