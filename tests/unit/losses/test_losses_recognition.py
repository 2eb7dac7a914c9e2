"""SARLoss, CenterLoss and ACELoss against their definitions, and what they refuse."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from ocrtune.core.errors import TrainingError, WeightsError
from ocrtune.core.options import Findings
from ocrtune.losses.ace import ACELoss, ACELossOptions, occurrences
from ocrtune.losses.center import CenterLoss, CenterLossOptions
from ocrtune.losses.registry import losses
from ocrtune.losses.sar import SARLoss, SARLossOptions

TOKENS = torch.tensor([[4, 0, 1, 4, 5], [4, 2, 4, 5, 5]])  # three characters, unknown 3, start and end 4, padding 5


def build(name: str, raw: dict[str, Any]) -> nn.Module:
    findings = Findings()
    options = losses.parse(name, raw, "Loss", findings)
    assert not findings.problems, findings.problems
    return losses.get(name).factory(options)


def test_sar_counts_characters_and_ends_alone() -> None:
    logits = torch.randn(2, 5, 5, requires_grad=True)
    loss = SARLoss(SARLossOptions())({"sar": logits}, {"sar": TOKENS})["loss"]
    wanted = [(0, 0, 0), (0, 1, 1), (0, 2, 4), (1, 0, 2), (1, 1, 4)]  # sample, step, class
    expected = -torch.stack([logits[n, t].log_softmax(0)[c] for n, t, c in wanted]).mean()
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert [(n, t) for n, t in logits.grad.abs().sum(2).nonzero().tolist()] == [(n, t) for n, t, _ in wanted]


def test_multi_loss_weighs_the_guide() -> None:
    parts = [{"CTCLoss": None}, {"SARLoss": None}]
    outputs = {"ctc": torch.randn(2, 8, 4), "sar": torch.randn(2, 5, 5)}
    targets = {"ctc": torch.tensor([[1, 2], [3, 0]]), "length": torch.tensor([2, 1]), "sar": TOKENS}
    found = build("MultiLoss", {"loss_config_list": parts, "weight_1": 2.0, "weight_2": 0.5})(outputs, targets)
    ctc, sar = build("CTCLoss", {})(outputs, targets)["loss"], build("SARLoss", {})(outputs, targets)["loss"]
    torch.testing.assert_close(found["loss"], 2.0 * ctc + 0.5 * sar)
    torch.testing.assert_close(found["SARLoss"], 0.5 * sar)


def test_a_model_without_sar_is_explained() -> None:
    with pytest.raises(TrainingError, match="no SARHead"):
        SARLoss(SARLossOptions())({"ctc": torch.zeros(1, 1, 1)}, {"sar": TOKENS})


LABELS = {"ctc": torch.tensor([[1, 1, 3, 0], [2, 0, 0, 0]]), "length": torch.tensor([3, 1])}


def test_occurrences_add_up_to_the_steps() -> None:
    expected = torch.tensor([[3.0, 2, 0, 1], [5, 0, 1, 0]])
    assert torch.equal(occurrences(LABELS["ctc"], LABELS["length"], 6, 4), expected)


def test_ace_knows_no_order() -> None:
    logits = torch.randn(2, 6, 4)
    loss = ACELoss(ACELossOptions())
    shuffled = {"ctc": logits[:, torch.randperm(6)]}
    torch.testing.assert_close(loss({"ctc": logits}, LABELS)["loss"], loss(shuffled, LABELS)["loss"])


@pytest.mark.parametrize("softmax_of_mean", [True, False])
def test_ace_is_the_cross_entropy_of_shares(softmax_of_mean: bool) -> None:
    logits = torch.randn(2, 6, 4)
    mean = logits.softmax(2).mean(1)
    logarithm = mean.softmax(1).log() if softmax_of_mean else mean.log()
    shares = torch.tensor([[3.0, 2, 0, 1], [5, 0, 1, 0]]) / 6
    expected = -(shares * logarithm).sum(1).mean()
    found = build("ACELoss", {"softmax_of_mean": softmax_of_mean})({"ctc": logits}, LABELS)["loss"]
    torch.testing.assert_close(found, expected)


def outputs_of(classes: list[int], features: torch.Tensor) -> dict[str, torch.Tensor]:
    """One sample whose steps read ``classes`` of four."""
    return {"ctc": nn.functional.one_hot(torch.tensor([classes]), 4).float(), "ctc_neck": features[None]}


def centre_file(folder: Path, content: object) -> Path:
    path = folder / "train_center.pkl"
    path.write_bytes(pickle.dumps(content))
    return path


def test_center_loss_is_the_distance_to_the_centre_of_the_class_read(tmp_path: Path) -> None:
    path = centre_file(tmp_path, {0: np.float32([1, 1]), 3: np.float64([0, 2])})
    loss = build("CenterLoss", {"num_classes": 4, "feat_dim": 2, "center_file_path": str(path)})
    features = torch.tensor([[1.0, 1.0], [3.0, 2.0], [0.0, 2.0]], requires_grad=True)
    found = loss(outputs_of([0, 3, 3], features), {})["loss"]
    assert found.item() == pytest.approx((0 + 9 + 0) / 3)
    found.backward()
    torch.testing.assert_close(features.grad, torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 0.0]]))


def test_classes_without_a_centre_get_the_same_ones_in_every_run(tmp_path: Path) -> None:
    given = build("CenterLoss", {"num_classes": 4, "feat_dim": 2, "center_file_path": str(centre_file(tmp_path, {}))})
    drawn = CenterLoss(CenterLossOptions(4, 2))
    assert torch.equal(given.centers, drawn.centers)
    assert 0 < drawn.centers.abs().max() < 5
    assert not list(drawn.parameters())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({4: np.zeros(2)}, "entry 4 has the shape (2,), expected (2,) for a class below 4"),
        ({1: np.zeros(3)}, "entry 1 has the shape (3,), expected (2,)"),
        ({1: "centre"}, "entry 1"),
        ([1, 2], "holds a list, expected class numbers with centres"),
        ({1: Path("x")}, "refused: the file asks for"),
    ],
)
def test_wrong_centre_files_are_explained(tmp_path: Path, content: object, said: str) -> None:
    with pytest.raises(WeightsError) as error:
        build("CenterLoss", {"num_classes": 4, "feat_dim": 2, "center_file_path": str(centre_file(tmp_path, content))})
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("options", "outputs", "said"),
    [
        ({}, {"ctc": torch.zeros(1, 3, 4)}, "return_feats: true"),
        ({"feat_dim": 5}, outputs_of([0], torch.zeros(1, 2)), "set feat_dim: 2"),
        ({"num_classes": 3, "feat_dim": 2}, outputs_of([0], torch.zeros(1, 2)), "set num_classes: 4"),
    ],
)
def test_center_loss_that_does_not_fit_the_model_is_explained(
    options: dict[str, Any], outputs: dict[str, torch.Tensor], said: str
) -> None:
    with pytest.raises(TrainingError, match=said):
        build("CenterLoss", options)(outputs, {})
