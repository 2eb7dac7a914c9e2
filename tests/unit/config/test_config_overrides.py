"""``-o``: values, lists, what cannot be reached."""

from __future__ import annotations

from typing import Any

import pytest
from toy_config import toy_tree

from ocrtune.config.overrides import apply_overrides
from ocrtune.core.options import Findings


def value_at(tree: Any, path: str) -> Any:
    for key in path.split("."):
        tree = tree[int(key)] if isinstance(tree, list) else tree[key]
    return tree


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("Global.epoch_num=20", "Global.epoch_num", 20),
        ("Optimizer.lr.learning_rate=1e-4", "Optimizer.lr.learning_rate", 1e-4),
        ("Optimizer.lr.learning_rate=1E-4", "Optimizer.lr.learning_rate", 1e-4),
        ("Global.save_model_dir=./a=b/c", "Global.save_model_dir", "./a=b/c"),
        ("Global.model_name='a: b'", "Global.model_name", "a: b"),
        ('Global.model_name="12"', "Global.model_name", "12"),
        ("Global.checkpoints=", "Global.checkpoints", None),
        ("Global.use_gpu=false", "Global.use_gpu", False),
        ("Train.dataset.label_file_list=[a.txt, 'b c.txt']", "Train.dataset.label_file_list", ["a.txt", "b c.txt"]),
        ("Train.dataset.ratio_list=[1.0,0.1]", "Train.dataset.ratio_list", [1.0, 0.1]),
        ("Train.dataset.transforms.0.Crop.size=[1, 2]", "Train.dataset.transforms.0.Crop.size", [1, 2]),
        ("Train.dataset.transforms.Crop.size.1=9", "Train.dataset.transforms.0.Crop.size", [320, 9]),
        ("Train.dataset.transforms.Flip.size=[1, 2]", "Train.dataset.transforms.1.Flip.size", [1, 2]),
        ("Train.dataset.transforms.1={Crop: }", "Train.dataset.transforms.1", {"Crop": None}),
        ("Train.dataset.transforms.Flip={size: [3, 4]}", "Train.dataset.transforms.1", {"Flip": {"size": [3, 4]}}),
        ("Train.sampler.name=WidthBucketSampler", "Train.sampler", {"name": "WidthBucketSampler"}),
        ("Architecture.Transform.name=TPS", "Architecture.Transform.name", "TPS"),
    ],
)
def test_put(override: str, path: str, value: Any) -> None:
    findings = Findings()
    changed = apply_overrides(toy_tree(), [override], findings)
    assert not findings.problems
    assert value_at(changed, path) == value


def test_the_rest_stays_and_the_source_is_not_changed() -> None:
    tree = toy_tree()
    changed = apply_overrides(tree, ["Global.epoch_num=9", "Loss.name=X"], Findings())
    assert tree == toy_tree()
    changed["Global"]["epoch_num"], changed["Loss"]["name"] = 3, "CTCLoss"
    assert changed == toy_tree()


def test_the_last_one_counts() -> None:
    overrides = ["Global.epoch_num=1", "Global.epoch_num=2"]
    assert apply_overrides(toy_tree(), overrides, Findings())["Global"]["epoch_num"] == 2


def test_an_anchor_is_changed_in_one_place_only() -> None:
    shared = {"size": 1}
    changed = apply_overrides({"a": shared, "b": shared}, ["a.size=2"], Findings())
    assert changed == {"a": {"size": 2}, "b": {"size": 1}}


@pytest.mark.parametrize(
    ("override", "fragment"),
    [
        ("Global.epoch_num", "expected Section.key=value"),
        ("=3", "expected Section.key=value"),
        ("Global..x=3", "expected Section.key=value"),
        ("Global.epoch_num=[1", "not valid YAML"),
        ("Global.epoch_num.x=1", "Global.epoch_num is the value 3"),
        ("Train.dataset.transforms.7.Crop.size=1", "has 2 items (0 to 1)"),
        ("Train.dataset.transforms.Crp.size=1", "did you mean 'Crop'?"),
        ("Train.dataset.transforms.7=1", "has 2 items"),
    ],
)
def test_refused(override: str, fragment: str) -> None:
    findings = Findings()
    apply_overrides(toy_tree(), [override], findings)
    assert fragment in str(findings.problems[0])
    assert len(findings.problems) == 1
