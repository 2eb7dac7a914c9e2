"""DB's heads in bfloat16: what they are sure of, and wrong about, must still teach them."""

from __future__ import annotations

import pytest
import torch
from models_architectures import parse
from torch import Tensor, nn

from ocrtune.losses.db import DBLoss, DBLossOptions
from ocrtune.models.pyramid import Pyramid
from ocrtune.models.registry import heads

PYRAMID = Pyramid(*torch.randn(4, 2, 16, 8, 12, generator=torch.Generator().manual_seed(0)))
HARDLY_TEXT = {
    "shrink_map": (torch.arange(48) < 6).float().expand(2, 32, 48),
    "shrink_mask": torch.ones(2, 32, 48),
    "threshold_map": torch.full((2, 32, 48), 0.3),
    "threshold_mask": torch.ones(2, 32, 48),
}
SURE = 8.0  # the sigmoid is 0.9997, which bfloat16 rounds to 1


def sure(name: str) -> nn.Module:
    """The head ``name`` in training, which sees text everywhere."""
    torch.manual_seed(0)
    head = heads.get(name).factory(parse(heads, {"name": name}).options, 16, None).train()
    nn.init.constant_(head.binarize.conv3.bias, SURE)
    if name == "PFHeadLocal":
        nn.init.constant_(head.cbn_layer.last_1.bias, SURE)
    return head


def gradients(head: nn.Module, loss: str, precision: torch.dtype) -> dict[str, Tensor]:
    """Of the last biases, of pages that are text on the left only."""
    head.zero_grad(set_to_none=True)
    with torch.autocast("cpu", precision, enabled=precision != torch.float32):
        outputs = head(PYRAMID)
    assert {value.dtype for value in outputs.values()} == {torch.float32}
    DBLoss(DBLossOptions(main_loss_type=loss))(outputs, HARDLY_TEXT)["loss"].backward()
    last = ("binarize.conv3.bias", "thresh.conv3.bias", "cbn_layer.last_1.bias")
    return {name: value.grad for name, value in head.named_parameters() if name in last}


@pytest.mark.parametrize("name", ["DBHead", "PFHeadLocal"])
@pytest.mark.parametrize("loss", ["DiceFocalLoss", "DiceLoss"])
def test_a_pixel_that_is_surely_wrong_learns_in_bfloat16_as_in_float32(name: str, loss: str) -> None:
    head = sure(name)
    wanted, found = (gradients(head, loss, precision) for precision in (torch.float32, torch.bfloat16))
    torch.testing.assert_close(found, wanted, rtol=0.05, atol=0)
