"""Moments of patches against those of patches cut out one by one."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from ocrtune.training.patches import patch_moments


def cut_out(x: Tensor, size: int, stride: tuple[int, int]) -> tuple[Tensor, Tensor]:
    patches = F.unfold(x.double(), size, padding=size // 2, stride=stride)
    patches = patches.unflatten(1, (x.shape[1], size * size))  # (N, C, taps, places)
    return patches.sum((0, 3)), torch.einsum("nckp,nclp->ckl", patches, patches)


@pytest.mark.parametrize("stride", [(1, 1), (2, 2), (2, 1), (1, 2)])
@pytest.mark.parametrize("size", [3, 5])
@pytest.mark.parametrize("shape", [(2, 6, 7, 12), (1, 6, 3, 18), (1, 6, 2, 1)])
def test_moments_and_gradients_are_exact(shape: tuple[int, ...], size: int, stride: tuple[int, int]) -> None:
    torch.manual_seed(0)
    x = (torch.randn(shape) + 0.5).contiguous(memory_format=torch.channels_last).requires_grad_()
    expected, found = cut_out(x, size, stride), patch_moments(x, size, stride)
    weights = [torch.randn_like(value) for value in expected]
    gradients = [
        torch.autograd.grad(sum((w * v).sum() for w, v in zip(weights, values)), x)[0] for values in (expected, found)
    ]
    for mine, theirs in zip(found, expected):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("stride", [(1, 1), (2, 1)])
def test_bfloat16_is_read_exactly(stride: tuple[int, int]) -> None:
    torch.manual_seed(0)
    x = (torch.randn(2, 6, 7, 12) + 0.5).bfloat16().contiguous(memory_format=torch.channels_last).requires_grad_()
    expected, found = cut_out(x, 3, stride), patch_moments(x, 3, stride)
    for mine, theirs in zip(found, expected):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-4)
    weights = [torch.randn_like(value) for value in expected]
    gradients = [
        torch.autograd.grad(sum((w * v).sum() for w, v in zip(weights, values)), x)[0] for values in (expected, found)
    ]
    assert gradients[1].dtype == torch.bfloat16
    torch.testing.assert_close(*gradients, rtol=2**-6, atol=0.01 * float(gradients[0].abs().max()))
