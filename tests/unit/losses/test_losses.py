"""Losses: what they are worth at the ends, what they do with nothing to learn from, and how options are read."""

import math

import pytest
import torch

from ocrtune.config.component import Component
from ocrtune.core.errors import ConfigError, TrainingError
from ocrtune.core.options import Findings
from ocrtune.losses.build import build_loss
from ocrtune.losses.ctc import CTCLoss, CTCLossOptions, steps_needed
from ocrtune.losses.db import DBLoss, DBLossOptions
from ocrtune.losses.nrtr import NRTRLoss, NRTRLossOptions
from ocrtune.losses.registry import losses


def det_targets(size: int = 16) -> dict[str, torch.Tensor]:
    shrink = torch.zeros(2, size, size)
    shrink[:, 4:8, 3:12] = 1
    threshold = 0.3 + 0.4 * shrink
    return {
        "shrink_map": shrink,
        "shrink_mask": torch.ones_like(shrink),
        "threshold_map": threshold,
        "threshold_mask": shrink.clone(),
    }


def det_outputs(targets: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """What a perfect network would say."""
    return {
        "shrink": targets["shrink_map"].unsqueeze(1),
        "threshold": targets["threshold_map"].unsqueeze(1),
        "binary": targets["shrink_map"].unsqueeze(1),
    }


@pytest.mark.parametrize("kind", ["DiceLoss", "DiceFocalLoss"])
def test_db_loss_of_the_truth_is_zero_and_of_its_opposite_is_large(kind: str) -> None:
    targets = det_targets()
    loss = DBLoss(DBLossOptions(main_loss_type=kind))
    assert loss(det_outputs(targets), targets)["loss"] == pytest.approx(0, abs=1e-4)
    opposite = {name: 1 - value for name, value in det_outputs(targets).items()}
    assert loss(opposite, targets)["loss"] > 6


def test_db_loss_ignores_masked_pixels() -> None:
    targets, loss = det_targets(), DBLoss(DBLossOptions(main_loss_type="DiceFocalLoss"))
    targets["shrink_mask"][:, :, 12:] = 0
    outputs = {name: value * 0.8 + 0.1 for name, value in det_outputs(targets).items()}
    before = loss(outputs, targets)["loss"]
    outputs["shrink"][:, :, :, 12:] = 1.0
    outputs["binary"][:, :, :, 12:] = 1.0
    assert loss(outputs, targets)["loss"] == before


def test_aux_heads_count_with_their_weight() -> None:
    targets = det_targets()
    outputs = {name: value * 0.8 + 0.1 for name, value in det_outputs(targets).items()}
    alone = DBLoss(DBLossOptions())(outputs, targets)["loss"]
    outputs["aux_p3"] = torch.cat([outputs["shrink"], outputs["threshold"], outputs["binary"]], dim=1)
    with_aux = DBLoss(DBLossOptions(aux_weight_p3=0.3))(outputs, targets)
    assert with_aux["loss"] == pytest.approx(1.3 * alone.item(), rel=1e-5)
    assert with_aux["loss_aux_p3"] == pytest.approx(alone.item(), rel=1e-5)


@pytest.mark.parametrize("kind", ["DiceLoss", "DiceFocalLoss"])
def test_a_second_map_is_trained_as_the_shrink_map_with_weight_1(kind: str) -> None:
    targets, loss = det_targets(), DBLoss(DBLossOptions(main_loss_type=kind, alpha=5))
    outputs = {name: value * 0.8 + 0.1 for name, value in det_outputs(targets).items()}
    alone = loss(outputs, targets)
    assert "loss_cbn" not in alone
    both = loss({**outputs, "cbn": outputs["shrink"]}, targets)
    assert both["loss_cbn"] == pytest.approx(alone["loss_shrink_maps"].item() / 5, rel=1e-6)
    assert both["loss"] == pytest.approx((alone["loss"] + both["loss_cbn"]).item(), rel=1e-6)


def test_blank_pages_are_learnt_from_with_focal_and_harmless_with_dice() -> None:
    targets = {name: torch.zeros_like(value) for name, value in det_targets().items()}
    targets["shrink_mask"] += 1
    for kind, learns in (("DiceLoss", False), ("DiceFocalLoss", True)):
        shrink = torch.full((2, 1, 16, 16), 0.4, requires_grad=True)
        outputs = {"shrink": shrink, "threshold": shrink.detach(), "binary": shrink.detach(), "cbn": shrink}
        found = DBLoss(DBLossOptions(main_loss_type=kind))(outputs, targets)
        found["loss"].backward()
        assert bool(found["loss_cbn"] > 0) is learns
        assert bool((shrink.grad > 0).all()) is learns
        assert torch.isfinite(shrink.grad).all()


def test_ctc_loss_is_minus_log_probability() -> None:
    logits = torch.zeros(1, 2, 3)  # uniform; "1" in two steps: 11, 01, 10 of 9 paths
    found = CTCLoss(CTCLossOptions())({"ctc": logits}, {"ctc": torch.tensor([[1]]), "length": torch.tensor([1])})
    assert found["loss"] == pytest.approx(-math.log(3 / 9), rel=1e-6)


def test_ctc_counts_texts_that_do_not_fit_and_they_do_not_hurt() -> None:
    logits = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(0)).requires_grad_()
    targets = {"ctc": torch.tensor([[1, 1, 2], [3, 4, 0]]), "length": torch.tensor([3, 2])}
    found = CTCLoss(CTCLossOptions())({"ctc": logits}, targets)
    found["loss"].backward()
    assert found["infeasible"] == 1
    assert torch.isfinite(logits.grad).all()
    assert logits.grad[0].abs().sum() == 0
    assert logits.grad[1].abs().sum() > 0


def test_steps_needed_counts_a_blank_between_equal_neighbours_but_not_in_the_padding() -> None:
    labels = torch.tensor([[1, 1, 1, 0, 0], [1, 2, 1, 2, 2], [0, 0, 0, 0, 0]])
    assert steps_needed(labels, torch.tensor([3, 5, 0])).tolist() == [5, 6, 0]
    assert steps_needed(torch.tensor([[4]]), torch.tensor([1])).tolist() == [1]


def test_ctc_runs_in_float32_under_bfloat16_logits() -> None:
    logits = torch.randn(2, 6, 9, generator=torch.Generator().manual_seed(1)).bfloat16()
    found = CTCLoss(CTCLossOptions())(
        {"ctc": logits}, {"ctc": torch.tensor([[1, 2], [3, 0]]), "length": torch.tensor([2, 1])}
    )
    assert found["loss"].dtype == torch.float32


def test_nrtr_loss_ignores_padding_and_surplus_columns() -> None:
    generator = torch.Generator().manual_seed(2)
    logits = torch.randn(2, 4, 7, generator=generator)
    labels = torch.tensor([[2, 4, 5, 3, 0, 0], [2, 6, 3, 0, 0, 0]])
    loss = NRTRLoss(NRTRLossOptions())
    found = loss({"nrtr": logits}, {"nrtr": labels})["loss"]
    changed = logits.clone()
    changed[1, 2:] += 50
    assert loss({"nrtr": changed}, {"nrtr": labels})["loss"] == found
    assert loss({"nrtr": logits[:, :3]}, {"nrtr": labels})["loss"] == found


def test_multi_loss_adds_its_weighted_parts() -> None:
    findings = Findings()
    raw = {"loss_config_list": [{"CTCLoss": None}, {"NRTRLoss": {"smoothing": False}}], "weight_2": 0.5}
    options = losses.parse("MultiLoss", raw, "Loss", findings)
    assert findings.problems == []
    generator = torch.Generator().manual_seed(3)
    outputs = {"ctc": torch.randn(1, 5, 6, generator=generator), "nrtr": torch.randn(1, 3, 8, generator=generator)}
    targets = {"ctc": torch.tensor([[1, 2]]), "length": torch.tensor([2]), "nrtr": torch.tensor([[2, 4, 5, 3]])}
    found = build_loss(Component("MultiLoss", options))(outputs, targets)
    ctc = CTCLoss(CTCLossOptions())(outputs, targets)["loss"]
    nrtr = NRTRLoss(NRTRLossOptions(smoothing=False))(outputs, targets)["loss"]
    assert found["loss"] == pytest.approx((ctc + 0.5 * nrtr).item(), rel=1e-6)
    assert found["NRTRLoss"] == pytest.approx(0.5 * nrtr.item(), rel=1e-6)


def test_multi_loss_reports_every_bad_part() -> None:
    findings = Findings()
    raw = {"loss_config_list": [{"SRNLoss": None}, {"CTCLoss": {"use_focal": True}}, {"CTCLoss": None}]}
    assert losses.parse("MultiLoss", raw, "Loss", findings) is None
    text = "\n".join(map(str, findings.problems))
    assert "Loss.loss_config_list[0].SRNLoss: not a part of MultiLoss" in text
    assert "did you mean 'use_focal_loss'" in text
    assert "listed twice" in text


def test_unknown_loss_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="did you mean 'DBLoss'"):
        build_loss(Component("DBLos", None))


def test_a_loss_for_a_head_that_the_model_lacks_says_so() -> None:
    targets = det_targets()
    with pytest.raises(TrainingError, match=r"Loss.aux_weight_p2: the model has no auxiliary heads"):
        DBLoss(DBLossOptions(aux_weight_p2=0.4))(det_outputs(targets), targets)
    with pytest.raises(TrainingError, match="no NRTRHead"):
        NRTRLoss(NRTRLossOptions())({"ctc": torch.zeros(1, 2, 3)}, {"nrtr": torch.zeros(1, 4, dtype=torch.int64)})
