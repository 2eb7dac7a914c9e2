"""The fast BatchNorm, with the activation behind it, is PyTorch's."""

import copy

import pytest
import torch
from torch import Tensor, nn

from ocrtune.models.activated import Activation, activated
from ocrtune.training import batch_norm
from ocrtune.training.batch_norm import FastBatchNorm2d, speed_up_batch_norm_

SHAPE = (3, 24, 20, 31)
ODD = (3, 24, 21, 31)  # its pixels cannot share rows


def fast_and_plain(channels: int = SHAPE[1]) -> tuple[FastBatchNorm2d, nn.BatchNorm2d]:
    torch.manual_seed(0)
    plain = nn.BatchNorm2d(channels)
    nn.init.uniform_(plain.weight, -2, 2)
    nn.init.normal_(plain.bias)
    model = nn.Sequential(copy.deepcopy(plain))
    assert speed_up_batch_norm_(model) == 1
    fast = model[0]
    assert isinstance(fast, FastBatchNorm2d)
    return fast, plain


def image(mean: float = 0.0, spread: float = 3.0, shape: tuple[int, ...] = SHAPE) -> Tensor:
    torch.manual_seed(1)
    return (mean + spread * torch.randn(shape)).to(memory_format=torch.channels_last)


def learn(norm: nn.Module, x: Tensor, activation: Activation) -> list[Tensor]:
    """Output, gradients of x and of the parameters, running statistics."""
    x = x.clone().requires_grad_()
    y = activated(norm, x, activation)
    weights = torch.linspace(-1, 1, y.numel()).reshape_as(y)
    return [y, *torch.autograd.grad((y * weights).sum(), [x, *norm.parameters()]), *norm.buffers()]


def error(found: Tensor, exact: Tensor) -> float:
    """The largest, as a share of the largest value."""
    return float(((found.double() - exact).abs().max() / exact.abs().max()).detach())


@pytest.mark.parametrize("activation", ["none", "relu", "hardswish"])
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("mean", [0.0, 300.0])  # far from 0 squares lose their digits, unless they are centred
@pytest.mark.parametrize("shape", [SHAPE, ODD])
def test_it_is_no_further_from_float64_than_pytorch_is(
    activation: Activation, threads: int, mean: float, shape: tuple[int, ...]
) -> None:
    fast, plain = fast_and_plain()
    exact = copy.deepcopy(plain).double()
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for _ in range(2):  # the running statistics move twice
            found = learn(fast, image(mean, shape=shape), activation)
    finally:
        torch.set_num_threads(before)
    for _ in range(2):
        pytorch, wanted = (
            learn(plain, image(mean, shape=shape), activation),
            learn(exact, image(mean, shape=shape).double(), activation),
        )
    for mine, theirs, value in zip(found, pytorch, wanted, strict=True):
        assert error(mine, value) <= error(theirs, value) + 1e-6
        assert error(mine, value) < 1e-4


def test_the_path_under_test_is_taken_in_training_alone() -> None:
    fast, plain = fast_and_plain()
    x = image().requires_grad_()
    assert type(activated(fast, x, "relu").grad_fn).__name__ == "_BatchNormBackward"
    assert type(fast(x[:, :, :2]).grad_fn).__name__ != "_BatchNormBackward"  # small
    assert type(fast(x.contiguous()).grad_fn).__name__ != "_BatchNormBackward"
    plain.load_state_dict(fast.state_dict())
    assert torch.equal(activated(fast.eval(), x, "relu"), activated(plain.eval(), x, "relu"))


@pytest.mark.parametrize("activation", ["none", "relu", "hardswish"])
@pytest.mark.parametrize("shape", [SHAPE, ODD])
def test_in_bfloat16_it_is_no_further_from_float64_than_pytorch_is(
    activation: Activation, shape: tuple[int, ...]
) -> None:
    fast, plain = fast_and_plain()
    x = image(5.0, shape=shape).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found, pytorch = learn(fast, x, activation), learn(plain, x, activation)
    wanted = learn(fast_and_plain()[1].double(), x.double(), activation)
    assert [value.dtype for value in found] == [value.dtype for value in pytorch]
    assert found[0].dtype == torch.bfloat16
    for mine, theirs, value in zip(found, pytorch, wanted, strict=True):
        assert error(mine, value) <= error(theirs, value) + 1e-3
        assert error(mine, value) < 0.02


def test_half_precision_goes_pytorchs_way() -> None:
    fast, _ = fast_and_plain()
    assert type(fast(image().half().requires_grad_()).grad_fn).__name__ != "_BatchNormBackward"


def test_frozen_scale_and_input_without_gradient() -> None:
    fast, plain = fast_and_plain()
    for norm in (fast, plain):
        norm.weight.requires_grad_(False)
        activated(norm, image(), "hardswish").square().sum().backward()
        assert norm.weight.grad is None
    torch.testing.assert_close(fast.bias.grad, plain.bias.grad, rtol=1e-4, atol=1e-2)


def test_two_runs_give_equal_bits() -> None:
    runs = [learn(fast_and_plain()[0], image(), "hardswish") for _ in range(2)]
    assert all(map(torch.equal, *runs))


def test_not_a_number_is_not_hidden() -> None:
    fast, _ = fast_and_plain()
    x = image()
    x[1, 2, 3, 4] = float("nan")
    assert activated(fast, x, "relu")[:, 2].isnan().all()


def test_nothing_is_renamed_and_other_norms_are_left_alone() -> None:
    model = nn.Sequential(nn.BatchNorm2d(4), nn.BatchNorm1d(4), nn.SyncBatchNorm(4))
    parameters = dict(model.named_parameters())
    assert speed_up_batch_norm_(model) == 1
    assert all(value is parameters[name] for name, value in model.named_parameters())
    assert speed_up_batch_norm_(model) == 0


def test_without_numba_nothing_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_norm, "can_compile", lambda: False)
    assert speed_up_batch_norm_(nn.Sequential(nn.BatchNorm2d(4))) == 0
