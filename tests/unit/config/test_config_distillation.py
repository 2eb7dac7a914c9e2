"""``Architecture.Models``: several networks, and the losses, post-processing and metric that name them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from toy_config import TOY, BackboneOptions, toy_registries, write_toy

from ocrtune.config import Architecture, Distillation, Loaded, Registries, load_config, save_config
from ocrtune.core.errors import ConfigError
from ocrtune.core.registry import Registry

ONE = """  Transform:
  Backbone: {name: TinyNet, scale: 0.5}
  Head: {name: TwinHead, heads: "a b c"}
"""
SEVERAL = """  name: DistillationModel
  Models:
    Teacher:
      pretrained: PP-OCRv6_small_rec
      freeze_params: true
      return_all_feats: true
      model_type: rec
      algorithm: CRNN
      Transform:
      Backbone: {name: TinyNet, scale: 2}
      Head: {name: TwinHead}
    Student:
      pretrained:
      model_type: rec
      Backbone: {name: TinyNet}
      Head: {name: TwinHead}
"""
DISTILLED = (
    TOY.replace(ONE, SEVERAL)
    .replace("Loss: {name: CTCLoss}", "Loss: {name: Compare, networks_named: [Student, Teacher]}")
    .replace("PostProcess: {name: CTCLabelDecode}", "PostProcess: {name: Compare, networks_named: [Student]}")
)


@dataclass(frozen=True)
class CompareOptions:
    networks_named: tuple[str, ...] = ()

    def networks(self) -> frozenset[str]:
        return frozenset(self.networks_named)


@dataclass(frozen=True)
class AloneOptions:
    pass


def registries() -> Registries:
    """Those of the toy configuration, and losses of which one names networks."""
    parts: Registry[Any] = Registry("part", "toy_components")
    parts.register("Compare", CompareOptions)(lambda options: options)
    parts.register("CTCLoss", AloneOptions)(lambda options: options)
    parts.register("CTCLabelDecode", AloneOptions)(lambda options: options)
    return replace(toy_registries(), losses=parts, postprocess=parts)


def load(folder: Path, *overrides: str, text: str = DISTILLED) -> Loaded:
    return load_config(write_toy(folder, text), overrides, registries())


def problems(folder: Path, *overrides: str, text: str = DISTILLED) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        load(folder, *overrides, text=text)
    return {problem.where: str(problem) for problem in caught.value.problems}


def test_networks_are_read_one_by_one(tmp_path: Path) -> None:
    architecture = load(tmp_path).config.architecture
    assert isinstance(architecture, Distillation)
    teacher, student = architecture.models["Teacher"], architecture.models["Student"]
    assert list(architecture.models) == ["Teacher", "Student"]
    assert (teacher.pretrained, teacher.freeze_params, teacher.return_all_feats) == ("PP-OCRv6_small_rec", True, True)
    assert (student.pretrained, student.freeze_params, student.return_all_feats) == (None, False, False)
    assert teacher.backbone.options == BackboneOptions(2.0)
    assert student.head.options.names == ("a", "b")


def test_one_network_is_no_distillation(tmp_path: Path) -> None:
    assert isinstance(load(tmp_path, text=TOY).config.architecture, Architecture)


def test_a_saved_distillation_loads_as_an_equal_one(tmp_path: Path) -> None:
    config = load(tmp_path).config
    save_config(config, tmp_path / "config.yml")
    again = load_config(tmp_path / "config.yml", registries=registries())
    assert again.config == config
    assert again.notices == ()


def test_a_network_is_overridden_by_its_name(tmp_path: Path) -> None:
    architecture = load(tmp_path, "Architecture.Models.Student.Backbone.scale=3").config.architecture
    assert isinstance(architecture, Distillation)
    assert architecture.models["Student"].backbone.options.scale == 3
    assert architecture.models["Teacher"].backbone.options.scale == 2


@pytest.mark.parametrize(
    ("override", "where", "fragment"),
    [
        ("Architecture.Models.Student.freeze=true", "Architecture.Models.Student.freeze", "'freeze_params'"),
        ("Architecture.Models.Student.Backbone.scal=1", "Architecture.Models.Student.Backbone.scal", "'scale'"),
        ("Architecture.Models.Student.Transform.name=TPS", "Architecture.Models.Student.Transform", "leave it empty"),
        ("Architecture.Models.Student.model_type=det", "Architecture.Models.Student.model_type", "got det"),
        ("Architecture.Models.Student.pretrained=gone", "Architecture.Models.Student.pretrained", "called 'gone'"),
        (
            "Architecture.Models.Student.pretrained=https://x/y",
            "Architecture.Models.Student.pretrained",
            "is not downloaded",
        ),
        ("Architecture.Models={}", "Architecture.Models", "by name"),
        ("Architecture.name=Distil", "Architecture.name", "DistillationModel"),
        ("Architecture.Backbone.name=TinyNet", "Architecture.Backbone", "unknown key"),
        ("Loss.networks_named=[Student, Teecher]", "Loss", "no network is called 'Teecher'. did you mean 'Teacher'?"),
        ("Loss={name: CTCLoss}", "Loss", "CTCLoss is for one network, Architecture.Models has Teacher, Student"),
        ("PostProcess={name: CTCLabelDecode}", "PostProcess", "whose name begins with Distillation"),
    ],
)
def test_one_wrong_value(tmp_path: Path, override: str, where: str, fragment: str) -> None:
    assert fragment in problems(tmp_path, override)[where]


def test_a_bad_name_of_a_network_is_refused(tmp_path: Path) -> None:
    text = DISTILLED.replace("    Student:\n", "    my student:\n")
    assert "use letters and digits" in problems(tmp_path, text=text)["Architecture.Models.my student"]


def test_losses_between_networks_need_networks(tmp_path: Path) -> None:
    text = DISTILLED.replace(SEVERAL, ONE)
    assert "Architecture.Models has none" in problems(tmp_path, text=text)["Loss"]


def test_the_dictionary_may_come_from_the_weights_of_any_network(tmp_path: Path) -> None:
    assert load(tmp_path, "Global.pretrained_model=").config.global_options.character_dict_path is None
    found = problems(tmp_path, "Global.pretrained_model=", "Architecture.Models.Teacher.pretrained=")
    assert "which characters" in found["Global.character_dict_path"]
