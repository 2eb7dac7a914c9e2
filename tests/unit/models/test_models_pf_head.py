"""PFHeadLocal: the refined map in training, the mean of both maps otherwise."""

from __future__ import annotations

import pytest
import torch
from models_architectures import parse, shaken
from torch import nn

from ocrtune.losses.db import DBLoss, DBLossOptions
from ocrtune.models.fold import fold_
from ocrtune.models.heads.db import binarised
from ocrtune.models.pyramid import Pyramid, enlarged
from ocrtune.models.registry import heads

PYRAMID = Pyramid(*torch.randn(4, 2, 16, 8, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))


def head(mode: str = "small", **options: object) -> nn.Module:
    parsed = parse(heads, {"name": "PFHeadLocal", "mode": mode, **options}).options
    return heads.get("PFHeadLocal").factory(parsed, 16, None)


def test_modes_differ_by_the_width_of_the_local_module() -> None:
    assert head().cbn_layer.last_3.conv.weight.shape == (2, 5, 3, 3)
    assert head("large").cbn_layer.last_3.conv.weight.shape == (4, 5, 3, 3)


def test_eval_is_the_mean_of_the_coarse_and_the_refined_map() -> None:
    built = shaken(head("large"))
    with torch.no_grad():
        outputs = built(PYRAMID)
        coarse = built.binarize(PYRAMID.fused)
        refined = built.cbn_layer(enlarged(built.binarize.features(PYRAMID.fused), 2), coarse)
    assert set(outputs) == {"shrink"}
    assert outputs["shrink"].shape == (2, 1, 32, 48)
    torch.testing.assert_close(outputs["shrink"], (coarse + refined) / 2)
    assert not torch.allclose(coarse, refined)


def test_training_gives_the_refined_map_and_binarises_the_coarse_one() -> None:
    built = shaken(head("large")).train()
    outputs = built(PYRAMID)
    assert set(outputs) == {"shrink", "threshold", "binary", "cbn"}
    coarse, threshold = built.binarize(PYRAMID.fused), built.thresh(PYRAMID.fused)
    torch.testing.assert_close(outputs["binary"], binarised(coarse, threshold, 50))
    torch.testing.assert_close(outputs["cbn"], outputs["binary"])


@pytest.mark.parametrize("mode", ["small", "large"])
def test_the_loss_reaches_every_parameter(mode: str) -> None:
    built = shaken(head(mode)).train()
    shrink = (torch.rand(2, 32, 48, generator=torch.Generator().manual_seed(1)) < 0.3).double()
    targets = {"shrink_map": shrink, "threshold_map": 0.3 + 0.4 * shrink}
    targets |= {"shrink_mask": torch.ones_like(shrink), "threshold_mask": torch.ones_like(shrink)}
    DBLoss(DBLossOptions())(built(PYRAMID), targets)["loss"].backward()
    for name, parameter in built.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_folding_keeps_the_function() -> None:
    built = shaken(head("large"))
    with torch.no_grad():
        expected = built(PYRAMID)["shrink"]
        found = fold_(built)(PYRAMID)["shrink"]
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in built.modules())


@pytest.mark.parametrize("fix_nan", [True, False])
def test_fix_nan_replaces_what_is_not_a_number_in_training_only(fix_nan: bool) -> None:
    """As after an fp16 overflow: a weight that is not a number."""
    built = shaken(head(fix_nan=fix_nan))
    with torch.no_grad():
        built.binarize.conv1.weight[0] = float("nan")
        assert built.train()(PYRAMID)["shrink"].isfinite().all() == fix_nan
        assert not built.eval()(PYRAMID)["shrink"].isfinite().all()
