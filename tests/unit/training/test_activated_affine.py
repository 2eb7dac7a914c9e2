"""The fast hard swish with its affine layer is PyTorch's."""

import copy

import pytest
import torch
from torch import Tensor, nn

from ocrtune.models.backbones.lcnet_v3 import ActivatedAffine, Affine
from ocrtune.training import activated_affine
from ocrtune.training.activated_affine import FastActivatedAffine, speed_up_activated_affine_


def fast_and_plain() -> tuple[FastActivatedAffine, ActivatedAffine]:
    plain = ActivatedAffine(0.1)
    assert isinstance(plain.lab, Affine)
    nn.init.constant_(plain.lab.scale, -1.3)
    nn.init.constant_(plain.lab.bias, 0.4)
    model = nn.Sequential(copy.deepcopy(plain))
    assert speed_up_activated_affine_(model) == 1
    assert isinstance(model[0], FastActivatedAffine)
    return model[0], plain


def image() -> Tensor:
    torch.manual_seed(1)
    x = 3 * torch.randn(3, 24, 20, 31)
    x[0, 0, 0, :4] = torch.tensor([-3.0, 3.0, 0.0, -0.0])  # where the slope jumps
    return x.to(memory_format=torch.channels_last)


def learn(layer: nn.Module, x: Tensor) -> list[Tensor]:
    x = x.clone().requires_grad_()
    y = layer(x)
    weights = torch.linspace(-1, 2, y.numel()).reshape_as(y)
    return [y, *torch.autograd.grad((y * weights).sum(), [x, *layer.parameters()])]


@pytest.mark.parametrize("threads", [1, 3])
def test_output_and_gradients_are_those_of_pytorch(threads: int) -> None:
    fast, plain = fast_and_plain()
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = learn(fast, image())
    finally:
        torch.set_num_threads(before)
    for mine, exact in zip(found, learn(plain.double(), image().double()), strict=True):
        torch.testing.assert_close(mine.double(), exact, rtol=1e-5, atol=1e-5)


def test_in_bfloat16_the_numbers_are_computed_in_float32() -> None:
    fast, plain = fast_and_plain()
    x = image().bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = learn(fast, x)
    assert found[0].dtype == torch.bfloat16
    exact = learn(plain.double(), x.double())
    for mine, value in zip(found, exact, strict=True):
        torch.testing.assert_close(mine.double(), value, rtol=2**-8, atol=2e-3 * float(value.detach().abs().max()))


def test_the_path_under_test_is_taken_where_it_fits() -> None:
    fast, _ = fast_and_plain()
    x = image().requires_grad_()
    assert type(fast(x).grad_fn).__name__ == "_ActivatedAffineBackward"
    assert type(fast(x[:, :, :2]).grad_fn).__name__ != "_ActivatedAffineBackward"  # small
    assert type(fast(x.contiguous()).grad_fn).__name__ != "_ActivatedAffineBackward"
    fast.lab = nn.Identity()  # folded
    assert type(fast(x).grad_fn).__name__ == "HardswishBackward0"


def test_two_runs_give_equal_bits() -> None:
    fast, _ = fast_and_plain()
    assert all(map(torch.equal, learn(fast, image()), learn(fast, image())))


def test_without_numba_nothing_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activated_affine, "can_compile", lambda: False)
    assert speed_up_activated_affine_(nn.Sequential(ActivatedAffine(0.1))) == 0
