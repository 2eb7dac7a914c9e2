"""Several networks in one: names, what each may do in which mode, and forms."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from models_architectures import Architecture, architecture, charset, multi_head, parse
from torch import nn

from ocrtune.core.errors import ConfigError
from ocrtune.models.build import build_model
from ocrtune.models.distillation import DistillationModel
from ocrtune.models.fold import fold_, form_of
from ocrtune.models.forms import form_text, set_form_
from ocrtune.models.registry import heads

CHARSET = charset(6)
LABELS = {"nrtr": torch.tensor([[2, 5, 6, 3], [2, 7, 3, 0]]), "length": torch.tensor([2, 1])}


@dataclass
class Member(Architecture):
    freeze_params: bool = False
    return_all_feats: bool = False


@dataclass
class Several:
    models: dict[str, Any]


def member(model_type: str, backbone: dict, neck: dict | None, head: dict, **more: bool) -> Member:
    one = architecture(model_type, backbone, neck, head)
    return Member(one.model_type, one.backbone, one.neck, one.head, **more)


def det(**more: bool) -> Member:
    backbone = {"name": "MobileNetV3", "scale": 0.35, "model_name": "small", "disable_se": True}
    return member("det", backbone, {"name": "DBFPN", "out_channels": 16}, {"name": "DBHead"}, **more)


def rec(**more: bool) -> Member:
    neck = {"name": "SequenceEncoder", "encoder_type": "rnn", "hidden_size": 8}
    return member("rec", {"name": "MobileNetV1Enhance", "scale": 0.125}, neck, {"name": "CTCHead"}, **more)


def guided(**more: bool) -> Member:
    head = multi_head({"nrtr_dim": 32}, neck={"name": "reshape"})
    return member("rec", {"name": "MobileNetV1Enhance", "scale": 0.125}, None, head, **more)


def several(**networks: Member) -> DistillationModel:
    torch.manual_seed(1)
    kinds = {network.model_type for network in networks.values()}
    model = build_model(Several(networks), CHARSET if kinds == {"rec"} else None)
    assert isinstance(model, DistillationModel)
    return model


def moved(model: nn.Module, image: torch.Tensor) -> set[str]:
    """Networks whose running statistics a training pass changes."""
    before = copy.deepcopy(model.state_dict())
    model(image)
    changed = [name for name, value in model.state_dict().items() if not torch.equal(value, before[name])]
    return {name.partition(".")[0] for name in changed}


def test_names_are_paddleocrs() -> None:
    model = several(Student=det(), Student2=det(), Teacher=det())
    own = [name for name, _ in build_model(det(), None).named_parameters()]
    expected = [f"{network}.{name}" for network in ("Student", "Student2", "Teacher") for name in own]
    assert [name for name, _ in model.named_parameters()] == expected


def test_outputs_are_those_of_each_network() -> None:
    model, image = several(Student=det(), Teacher=det()), torch.randn(1, 3, 64, 64)
    outputs = model.eval()(image)
    assert set(outputs) == {"Student/shrink", "Teacher/shrink"}
    with torch.no_grad():
        torch.testing.assert_close(outputs["Teacher/shrink"], model.Teacher(image)["shrink"])
    assert not torch.equal(outputs["Student/shrink"], outputs["Teacher/shrink"]), "each has its own weights"
    maps = {"shrink", "threshold", "binary"}
    assert set(model.train()(image)) == {f"{network}/{name}" for network in ("Student", "Teacher") for name in maps}


def test_a_frozen_network_stays_in_eval_mode_and_gets_no_gradient() -> None:
    model, image = several(Student=det(), Teacher=det(freeze_params=True)), torch.randn(2, 3, 64, 64)
    for _ in range(2):
        assert not any(module.training for module in model.Teacher.modules())
        assert all(module.training for module in model.Student.modules())
        assert moved(model, image) == {"Student"}
        model.eval().train()
    sum(value.sum() for value in model(image).values()).backward()
    assert all(parameter.grad is None for parameter in model.Teacher.parameters())
    assert all(parameter.grad is not None for parameter in model.Student.parameters())


def test_without_freezing_all_networks_learn() -> None:
    model, image = several(Student=det(), Teacher=det()), torch.randn(2, 3, 64, 64)
    assert moved(model, image) == {"Student", "Teacher"}


def test_features_are_given_in_training_where_they_are_asked_for() -> None:
    model = several(Student=rec(return_all_feats=True), Teacher=rec())
    image = torch.randn(2, 3, 32, 64)
    found = model.train()(image)
    assert set(found) == {"Student/ctc", "Student/backbone_out", "Student/neck_out", "Teacher/ctc"}
    assert found["Student/backbone_out"].ndim == 4
    assert found["Student/neck_out"].shape[:2] == found["Student/ctc"].shape[:2]
    assert set(model.eval()(image)) == {"Student/ctc", "Teacher/ctc"}


def test_a_frozen_teacher_answers_the_guiding_head_s_question_the_same_each_time() -> None:
    model = several(Student=guided(), Teacher=guided(freeze_params=True, return_all_feats=True))
    image = torch.randn(2, 3, 32, 64)
    first, second = model(image, LABELS), model(image, LABELS)
    for name in ("Teacher/ctc", "Teacher/nrtr", "Teacher/backbone_out"):
        assert torch.equal(first[name], second[name])
        assert not first[name].requires_grad
    assert not torch.equal(first["Student/nrtr"], second["Student/nrtr"]), "dropout"


def test_only_the_networks_that_are_asked_about_run_in_evaluation() -> None:
    model, image = several(Student=det(), Student2=det(), Teacher=det()), torch.randn(1, 3, 64, 64)
    model.evaluate_only(["Teacher", "Student"])
    assert set(model.eval()(image)) == {"Student/shrink", "Teacher/shrink"}
    assert "Student2/shrink" in model.train()(image)


def test_a_name_that_hides_something_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"Architecture.Models.train: a network cannot be called 'train'"):
        build_model(Several({"train": det()}), None)


def test_the_parts_of_each_network_are_checked() -> None:
    wrong = replace(det(), head=parse(heads, {"name": "CTCHead"}))
    with pytest.raises(ConfigError, match="CTCHead does not belong"):
        build_model(Several({"Student": det(), "Teacher": wrong}), None)


def test_each_network_has_its_form() -> None:
    model = several(Student=det(), Teacher=det())
    fold_(model.Student)
    text = form_text(model)
    assert text == "Student=folded,Teacher=training"
    fresh = several(Student=det(), Teacher=det())
    assert set_form_(fresh, text)
    assert (form_of(fresh.Student), form_of(fresh.Teacher)) == ("folded", "training")
    fresh.load_state_dict(model.state_dict())
    image = torch.randn(1, 3, 64, 64)
    expected = model.eval()(image)
    assert all(torch.equal(value, expected[name]) for name, value in fresh.eval()(image).items())


@pytest.mark.parametrize("text", ["folded", "Student=folded", "Student=folded,Teacher=flat", "", "A=folded,B=folded"])
def test_a_form_of_other_networks_is_not_taken(text: str) -> None:
    model = several(Student=det(), Teacher=det())
    assert not set_form_(model, text)
    assert form_text(model) == "Student=training,Teacher=training"


def test_the_form_of_one_network_is_its_name() -> None:
    model = build_model(det(), None)
    assert form_text(model) == "training"
    assert set_form_(model, "folded")
    assert form_of(model) == "folded"
    assert not set_form_(build_model(det(), None), "Student=folded")
