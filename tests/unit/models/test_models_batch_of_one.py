"""A batch of one learns what two copies of it learn: their statistics are the same, so are their gradients.

PyTorch's BatchNorm takes wrong numbers on CPU where a gradient comes back with channels last for a batch of one.
"""

from __future__ import annotations

import torch

from ocrtune.models.backbones.svtrnet import Options, SVTRNet


def gradients(network: SVTRNet, images: torch.Tensor, weights: torch.Tensor) -> dict[str, torch.Tensor]:
    network.zero_grad()
    (network(images) * weights).mean().backward()
    return {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}


def test_svtrnet() -> None:
    torch.manual_seed(0)
    sizes = {"embed_dim": (16, 24, 32), "depth": (1, 1, 1), "num_heads": (2, 2, 2), "mixer": ("Conv", "Conv", "Global")}
    off = {"drop_rate": 0.0, "last_drop": 0.0, "attn_drop_rate": 0.0, "drop_path_rate": 0.0}
    network = SVTRNet(Options(img_size=(32, 64), out_channels=32, out_char_num=8, **sizes, **off)).double()
    image, weights = torch.randn(1, 3, 32, 64).double(), torch.randn(1, 32, 1, 8).double()
    one = gradients(network, image, weights)
    two = gradients(network, image.repeat(2, 1, 1, 1), weights)
    scale = max(float(value.norm()) for value in two.values())
    for name, value in two.items():
        torch.testing.assert_close(one[name], value, rtol=1e-6, atol=1e-9 * scale, msg=name)
