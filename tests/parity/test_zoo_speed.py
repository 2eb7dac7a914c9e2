"""A training step with our own layers is as near to the exact one as a step with PyTorch's layers.

The exact one is that of float64, which test_zoo_paddleocr.py compares with PaddleOCR's.
"""

import copy

import pytest
import torch
from torch import Tensor, nn
from zoo_compare import Golden, batch, built, fill, learn

from ocrtune.training import activated_affine, batch_norm
from ocrtune.training.speed_up import speed_up_

pytestmark = pytest.mark.parity
NAMES = ["ch_PP-OCRv2_det_student", "ch_PP-OCRv2_rec", "PP-OCRv4_mobile_rec", "PP-OCRv6_small_det"]


@pytest.mark.parametrize("name", NAMES)
def test_faster_layers_learn_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (activated_affine, batch_norm):
        monkeypatch.setattr(module, "_SMALLEST", 0)  # the images are small
    network, criterion = built(name)
    fill(network, Golden.read(name))
    image, targets = batch(name)
    plain, fast = (copy.deepcopy(network).float().to(memory_format=torch.channels_last) for _ in range(2))
    speed_up_(fast)
    assert type(fast) is type(plain)
    assert any(isinstance(layer, batch_norm.FastBatchNorm2d) for layer in fast.modules())
    with monkeypatch.context() as patch:
        patch.setattr(Tensor, "float", Tensor.double)  # losses leave half precision by Tensor.float
        exact = learn(network, criterion, image, targets)
    image = image.float().to(memory_format=torch.channels_last)
    targets = {key: value.float() if value.is_floating_point() else value for key, value in targets.items()}
    losses = [learn(model, criterion, image, targets) for model in (plain, fast)]
    assert losses[1] == pytest.approx(exact, rel=1e-5)
    wanted = gradients(network)
    by_plain, by_fast = (float((gradients(model) - wanted).norm() / wanted.norm()) for model in (plain, fast))
    assert by_fast < 2 * by_plain + 1e-6
    assert by_fast < 5e-3  # a small batch through forty BatchNorms makes much of rounding


def gradients(network: nn.Module) -> Tensor:
    """Of all parameters, in one row of float64."""
    found = (torch.zeros_like(p) if p.grad is None else p.grad for p in network.parameters())
    return torch.cat([gradient.flatten().double() for gradient in found])
