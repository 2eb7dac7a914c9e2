"""The optimizer that updates all weights in one pass on a CPU does what PyTorch's plain one does."""

import copy

import pytest
import torch
from torch import nn

from ocrtune.config.optimizer_schema import LearningRate, OptimizerOptions
from ocrtune.training.optim import build_optimizer, set_rate


@pytest.mark.parametrize("name", ["Adam", "AdamW"])
def test_fused_weights_are_the_plain_ones_in_every_memory_layout(name: str) -> None:
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(5, 7, 3), nn.Conv2d(7, 3, 1)).to(memory_format=torch.channels_last)
    fused = copy.deepcopy(plain)
    options = OptimizerOptions(lr=LearningRate("Const", 0.1), name=name)
    optimizers = [build_optimizer(model, options) for model in (plain, fused)]
    for group in optimizers[0].param_groups:
        assert group["fused"]
        group["fused"] = False
    for _ in range(3):
        for model, optimizer in zip((plain, fused), optimizers):
            optimizer.zero_grad()
            generator = torch.Generator().manual_seed(1)
            image = torch.randn(2, 5, 6, 6, generator=generator)  # not in the layout of the weights
            (model(image) - image.mean()).exp().mean().backward()
            set_rate(optimizer, 1e-2)
            optimizer.step()
    for mine, theirs in zip(fused.parameters(), plain.parameters()):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-6)
