"""Losses between networks: what they are worth at the ends, whom they teach, and how their options are read."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ocrtune.core.errors import TrainingError
from ocrtune.core.options import Findings
from ocrtune.losses.ctc import CTCLoss, CTCLossOptions
from ocrtune.losses.db import DBLoss, DBLossOptions
from ocrtune.losses.distillation_dila_db import dilated
from ocrtune.losses.registry import losses

PAIR = [["Student", "Teacher"]]
DML = {"act": "softmax", "use_log": True, "model_name_pairs": PAIR, "key": "head_out"}
TARGETS = {
    "ctc": torch.tensor([[1, 2, 0], [3, 0, 0]]),
    "length": torch.tensor([2, 1]),
    "nrtr": torch.tensor([[2, 5, 6, 3, 0], [2, 7, 3, 0, 0]]),
}


def build(name: str, options: dict[str, Any]) -> nn.Module:
    findings = Findings()
    parsed = losses.parse(name, options, "Loss", findings)
    assert findings.problems == []
    return losses.get(name).factory(parsed)


def complaints(name: str, options: Any) -> str:
    findings = Findings()
    assert losses.parse(name, options, "Loss", findings) is None
    return "\n".join(map(str, findings.problems))


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).requires_grad_()


def maps(seed: int) -> dict[str, Tensor]:
    names = ("shrink", "threshold", "binary")
    return {name: noise(2, 1, 16, 16, seed=seed + i).sigmoid() for i, name in enumerate(names)}


def named(network: str, values: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{network}/{name}": value for name, value in values.items()}


def det_targets() -> dict[str, Tensor]:
    shrink = torch.zeros(2, 16, 16)
    shrink[:, 4:9, 3:12] = 1
    ones = torch.ones_like(shrink)
    return {"shrink_map": shrink, "shrink_mask": ones, "threshold_map": shrink * 0.4 + 0.3, "threshold_mask": ones}


SAME_IS_NOTHING = {
    "DistillationDMLLoss": [DML, {**DML, "use_log": False}, {**DML, "act": "sigmoid"}],
    "DistillationDistanceLoss": [{"mode": mode, "model_name_pairs": PAIR} for mode in ("l1", "l2", "smooth_l1")],
    "DistillationKLDivLoss": [{"model_name_pairs": PAIR}],
    "DistillCTCLogits": [{"model_name_pairs": PAIR}],
}


@pytest.mark.parametrize(("name", "options"), [(n, o) for n, several in SAME_IS_NOTHING.items() for o in several])
def test_equal_predictions_cost_nothing_and_different_ones_something(name: str, options: dict[str, Any]) -> None:
    loss, logits = build(name, options), noise(2, 5, 7)
    same = loss({"Student/ctc": logits, "Teacher/ctc": logits.detach()}, TARGETS)["loss"]
    other = loss({"Student/ctc": logits, "Teacher/ctc": noise(2, 5, 7, seed=1)}, TARGETS)["loss"]
    assert same.item() == pytest.approx(0, abs=2e-4)
    assert other > 0.05


def test_dkd_of_the_teacher_s_own_prediction_is_nothing() -> None:
    loss = build(
        "DistillationDKDLoss", {"model_name_pairs": PAIR, "multi_head": True, "dis_head": "gtc", "temperature": 2.0}
    )
    logits = noise(2, 3, 9)
    outputs = {"Student/nrtr": logits, "Teacher/nrtr": logits.detach()}
    assert loss(outputs, TARGETS)["loss"].item() == pytest.approx(0, abs=1e-4)
    outputs["Teacher/nrtr"] = noise(2, 3, 9, seed=4).detach()
    assert loss(outputs, TARGETS)["loss"] > 0.05


def test_mutual_learning_teaches_both_networks() -> None:
    student, teacher = noise(2, 5, 7), noise(2, 5, 7, seed=1)
    loss = build("DistillationDMLLoss", DML)
    loss({"Student/ctc": student, "Teacher/ctc": teacher}, TARGETS)["loss"].backward()
    assert student.grad is not None
    assert student.grad.abs().sum() > 0.01
    assert teacher.grad is not None
    assert teacher.grad.abs().sum() > 0.01


def test_dml_of_maps_is_a_scalar_that_does_not_grow_with_the_batch() -> None:
    """PaddleOCR's is a value per image, whose sum is differentiated: see losses/divergence.py."""
    loss = build("DistillationDMLLoss", {"model_name_pairs": PAIR, "maps_name": "thrink_maps", "key": "maps"})
    outputs = {**named("Student", maps(1)), **named("Teacher", maps(5))}
    once = loss(outputs, det_targets())["loss"]
    twice = loss({name: torch.cat([value, value]) for name, value in outputs.items()}, det_targets())["loss"]
    assert once.shape == ()
    assert twice.item() == pytest.approx(once.item(), rel=1e-5)


def test_dml_of_maps_is_the_mean_symmetric_divergence() -> None:
    loss = build("DistillationDMLLoss", {"model_name_pairs": PAIR, "maps_name": "thrink_maps", "key": "maps"})
    p, q = torch.full((1, 1, 2, 2), 0.2), torch.full((1, 1, 2, 2), 0.6)
    found = loss({"Student/shrink": p, "Teacher/shrink": q}, {})["loss"]
    assert found.item() == pytest.approx((0.6 * math.log(3) + 0.2 * math.log(1 / 3)) / 2, rel=1e-3)


def test_dilation_grows_right_and_down() -> None:
    grown = dilated(torch.tensor([[[[0.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]]]]))
    expected = [[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 1]]
    assert grown[0, 0].tolist() == expected


def test_dila_db_learns_the_teacher_s_text_where_the_mask_allows_it() -> None:
    loss = build("DistillationDilaDBLoss", {"model_name_pairs": PAIR})
    teacher = torch.zeros(2, 1, 16, 16)
    teacher[:, :, 5:8, 5:8] = 0.4
    text = dilated((teacher > 0.3).float())
    targets = det_targets()
    perfect = {"Student/shrink": text, "Student/binary": text, "Teacher/shrink": teacher}
    assert loss(perfect, targets)["loss"].item() == pytest.approx(0, abs=1e-5)
    targets["shrink_mask"][:, :, :8] = 0
    changed = {**perfect, "Student/shrink": torch.cat([1 - text[..., :8], text[..., 8:]], dim=3)}
    assert loss(changed, targets)["loss"].item() == pytest.approx(0, abs=1e-5)
    assert loss({**perfect, "Student/shrink": 1 - text}, targets)["loss"] > 4


def test_dila_db_has_no_shrink_part_where_the_teacher_sees_nothing() -> None:
    loss = build("DistillationDilaDBLoss", {"model_name_pairs": PAIR})
    student = maps(3)
    outputs = {**named("Student", student), "Teacher/shrink": torch.full((2, 1, 16, 16), 0.2)}
    assert loss(outputs, det_targets())["loss"].item() == pytest.approx(1, abs=1e-3)  # Dice of the binary map


def test_the_weights_of_the_shrink_and_threshold_maps_count() -> None:
    """PaddleOCR accepts alpha and beta here and uses its defaults."""
    outputs, targets = named("Student", maps(2)), det_targets()
    own = DBLoss(DBLossOptions(alpha=1.0, beta=2.0))(maps(2), targets)["loss"]
    found = build("DistillationDBLoss", {"model_name_list": ["Student"], "alpha": 1, "beta": 2})(outputs, targets)
    assert found["loss"].item() == pytest.approx(own.item())
    dila = {"model_name_pairs": PAIR}
    both = {**outputs, **named("Teacher", maps(7))}
    heavy, light = (build("DistillationDilaDBLoss", {**dila, "alpha": a})(both, targets)["loss"] for a in (5.0, 1.0))
    assert heavy > light


def test_label_losses_add_up_over_the_networks_and_are_reported_one_by_one() -> None:
    outputs = {"Student/ctc": noise(2, 6, 5), "Teacher/ctc": noise(2, 6, 5, seed=8)}
    found = build("DistillationCTCLoss", {"model_name_list": ["Student", "Teacher"]})(outputs, TARGETS)
    each = [CTCLoss(CTCLossOptions())({"ctc": logits}, TARGETS)["loss"].item() for logits in outputs.values()]
    assert found["loss"].item() == pytest.approx(sum(each))
    assert [found["loss_ctc_Student"].item(), found["loss_ctc_Teacher"].item()] == pytest.approx(each)
    assert found["infeasible"] == 0


def test_combined_loss_weighs_its_parts_and_keeps_counts() -> None:
    raw = [
        {"DistillationCTCLoss": {"weight": 0.5, "model_name_list": ["Student"]}},
        {"DistillationDMLLoss": {**DML, "weight": 2.0}},
        {"DistillationDMLLoss": {**DML, "weight": 1.0}},
    ]
    outputs = {"Student/ctc": noise(2, 3, 5), "Teacher/ctc": noise(2, 3, 5, seed=8)}
    targets = {**TARGETS, "ctc": torch.tensor([[1, 1, 2], [3, 0, 0]]), "length": torch.tensor([3, 1])}
    found = build("CombinedLoss", {"loss_config_list": raw})(outputs, targets)
    alone = build("DistillationCTCLoss", {"model_name_list": ["Student"]})(outputs, targets)["loss"]
    dml = build("DistillationDMLLoss", DML)(outputs, targets)["loss"]
    assert found["loss"].item() == pytest.approx((0.5 * alone + 3 * dml).item())
    assert found["loss_ctc_Student"].item() == pytest.approx(0.5 * alone.item())
    assert found["dml_Student_Teacher"].item() == pytest.approx(2 * dml.item())
    assert found["dml_Student_Teacher_2"].item() == pytest.approx(dml.item())
    assert found["infeasible"] == 1


def test_combined_loss_of_one_network_reports_each_loss_under_its_name() -> None:
    raw = {"loss_config_list": [{"CTCLoss": {"weight": 2.0, "use_focal_loss": True}}]}
    outputs = {"ctc": noise(2, 6, 5)}
    own = CTCLoss(CTCLossOptions(use_focal_loss=True))(outputs, TARGETS)["loss"]
    found = build("CombinedLoss", raw)(outputs, TARGETS)
    assert found["loss"].item() == found["CTCLoss"].item() == pytest.approx(2 * own.item())


def test_the_networks_that_a_loss_reads_are_known() -> None:
    findings = Findings()
    raw = [
        {"DistillationDMLLoss": {**DML, "weight": 1}},
        {"DistillationDBLoss": {"weight": 1, "model_name_list": ["Student2"]}},
    ]
    options = losses.parse("CombinedLoss", {"loss_config_list": raw}, "Loss", findings)
    assert options.networks() == {"Student", "Teacher", "Student2"}
    alone = losses.parse("CombinedLoss", {"loss_config_list": [{"CTCLoss": {"weight": 1}}]}, "Loss", findings)
    assert alone.networks() is None


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("CombinedLoss", {}, "Loss.loss_config_list: missing"),
        ("CombinedLoss", {"loss_config_list": []}, "empty"),
        ("CombinedLoss", {"loss_config_list": [{"CTCLoss": {}}]}, "CTCLoss.weight: missing"),
        ("CombinedLoss", {"loss_config_list": [{"CTCLoss": None}]}, "CTCLoss.weight: missing"),
        ("CombinedLoss", {"loss_config_list": [{"CTCLoss": {"weight": "x"}}]}, "expected a number"),
        ("CombinedLoss", {"loss_config_list": [{"CTCLos": {"weight": 1}}]}, "did you mean 'CTCLoss'?"),
        ("CombinedLoss", {"loss_config_list": [{"CombinedLoss": {"weight": 1}}]}, "inside another"),
        ("CombinedLoss", {"loss_config_list": [{"A": {}, "B": {}}]}, "expected one loss"),
        ("DistillationDMLLoss", {}, "model_name_pairs: missing"),
        ("DistillationDMLLoss", {"model_name_pairs": ["A", "B", "C"]}, "expected two names"),
        ("DistillationDMLLoss", {"model_name_pairs": []}, "expected two names"),
        ("DistillationDMLLoss", {**DML, "key": "maps"}, "needs maps_name"),
        ("DistillationDMLLoss", {**DML, "maps_name": "thrink_maps"}, "goes with key: maps"),
        ("DistillationDMLLoss", {**DML, "act": "tanh"}, "softmax, sigmoid"),
        ("DistillationDKDLoss", {"model_name_pairs": PAIR}, "needs multi_head: true and dis_head: gtc"),
        ("DistillationKLDivLoss", {"model_name_pairs": PAIR, "multi_head": True}, "only dis_head: gtc"),
        ("DistillationCTCLoss", {"model_name_list": []}, "model_name_list is empty"),
        ("DistillationDBLoss", {"model_name_list": ["A"], "alpa": 5}, "did you mean 'alpha'?"),
        ("DistillationDistanceLoss", {"model_name_pairs": PAIR, "mode": "l3"}, "l1, l2, smooth_l1"),
    ],
)
def test_wrong_options_are_explained(name: str, options: Any, said: str) -> None:
    assert said in complaints(name, options)


def test_a_pair_may_be_written_without_a_list_around_it() -> None:
    outputs = {"A/ctc": noise(2, 5, 7), "B/ctc": noise(2, 5, 7, seed=1)}
    found = [build("DistillationDMLLoss", {**DML, "model_name_pairs": p}) for p in (["A", "B"], [["A", "B"]])]
    assert found[0](outputs, TARGETS)["loss"] == found[1](outputs, TARGETS)["loss"]


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("DistillationDistanceLoss", {"key": "backbone_out"}, "set Architecture.Models.Student.return_all_feats"),
        ("DistillationDMLLoss", {"multi_head": True, "dis_head": "sar"}, "needs a SARHead"),
        ("DistillationDMLLoss", {"maps_name": "binary_maps"}, "a frozen network gives only what inference gives"),
    ],
)
def test_an_output_that_is_not_there_is_explained(name: str, options: dict[str, Any], said: str) -> None:
    loss = build(name, {"model_name_pairs": PAIR, **options})
    with pytest.raises(TrainingError, match=said):
        loss({"Student/ctc": noise(1, 2, 3), "Teacher/ctc": noise(1, 2, 3)}, TARGETS)


def test_labels_for_a_frozen_detector_are_refused() -> None:
    loss = build("DistillationDBLoss", {"model_name_list": ["Teacher"]})
    with pytest.raises(TrainingError, match="network Teacher"):
        loss({"Teacher/shrink": maps(1)["shrink"]}, det_targets())
