"""PaddleOCR's spellings, YAML's numbers and keys written twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from toy_config import TOY, toy_registries, write_toy

from ocrtune.config import Loaded, load_config
from ocrtune.config.dialect import rewrite
from ocrtune.config.yaml_reader import read_yaml
from ocrtune.core.errors import ConfigError
from ocrtune.core.options import Findings


def load(folder: Path, *overrides: str, text: str = TOY) -> Loaded:
    return load_config(write_toy(folder, text), overrides, toy_registries())


def said(loaded: Loaded, where: str) -> str:
    return next((notice.what for notice in loaded.notices if notice.where == where), "")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-6", 1e-6),
        ("-5E+3", -5e3),
        (".5e1", 5.0),
        ("1.0e-06", 1e-6),
        ("'1e-6'", "1e-6"),
        ("1./255.", "1./255."),
        ("5.0-05", "5.0-05"),
        ("12", 12),
        ("e5", "e5"),
    ],
)
def test_numbers(text: str, value: Any) -> None:
    found = read_yaml(text, "x", Findings())
    assert found == value
    assert type(found) is type(value)


def test_a_key_written_twice_is_noticed_and_the_last_one_counts() -> None:
    findings = Findings()
    assert read_yaml("a:\n  b: 1\n  c: 2\n  b: 3\n", "x.yml", findings) == {"a": {"b": 3, "c": 2}}
    assert [str(notice) for notice in findings.notices] == [
        "x.yml:2: 'b' is written more than once; the last one counts"
    ]


def test_merge_keys_and_anchors() -> None:
    findings = Findings()
    assert read_yaml("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\n", "x", findings)["b"] == {"x": 1, "y": 3}
    assert not findings.notices


@pytest.mark.parametrize(
    ("overrides", "precision"),
    [
        ([], "auto"),
        (["Global.use_amp=false"], "float32"),
        (["Global.use_amp=true", "Global.amp_level=O2"], "auto"),
        (["Global.use_amp=true", "Global.amp_dtype=bfloat16"], "auto"),
        (["Global.use_amp=true", "Global.precision=float32"], "float32"),
    ],
)
def test_use_amp_becomes_precision(tmp_path: Path, overrides: list[str], precision: str) -> None:
    loaded = load(tmp_path, *overrides)
    assert loaded.config.global_options.precision == precision
    assert bool(said(loaded, "Global.use_amp")) == (precision == "auto" and bool(overrides))


def test_the_guides_piecewise_with_one_boundary_too_many(tmp_path: Path) -> None:
    lr = "{name: Piecewise, decay_epochs: [700, 800], values: [0.001, 0.0001], warmup_epoch: 5}"
    loaded = load(tmp_path, f"Optimizer.lr={lr}")
    assert loaded.config.optimizer.lr.decay_epochs == (700,)
    assert "800" in said(loaded, "Optimizer.lr.decay_epochs")


def test_random_crop_of_v6_medium_is_the_east_crop(tmp_path: Path) -> None:
    given = "Train.dataset.transforms=[{Crop: {size: [96, 96]}}, {RandomCrop: {size: [64, 32]}}]"
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, given)
    [problem] = caught.value.problems  # the toy registry has no EastRandomCropData: what was understood is named
    assert "transforms[1].EastRandomCropData" in str(problem)


@pytest.mark.parametrize("widths", [[64, 128, 256], [64, 128, 192]])
def test_the_last_stage_of_v4s_teacher(widths: list[int]) -> None:
    """Blocks of 256 cannot give 192 channels without it; blocks of 192 can."""
    backbone = {"name": "SVTRNet", "embed_dim": widths, "out_channels": 192, "last_stage": False}
    network = {"model_type": "rec", "Backbone": backbone}
    findings = Findings()
    raw = {"Architecture": {**network, "Models": {"Teacher": network, "Student": {}}}}
    found = rewrite(raw, findings)["Architecture"]
    understood = widths[-1] != 192
    assert found["Backbone"]["last_stage"] == found["Models"]["Teacher"]["Backbone"]["last_stage"] == understood
    places = ["Architecture.Backbone.last_stage", "Architecture.Models.Teacher.Backbone.last_stage"]
    assert [notice.where for notice in findings.notices] == (places if understood else [])
    assert backbone["last_stage"] is False, "the caller's own mapping stays as it is"


def with_transforms(train: list[Any], **rest: Any) -> dict[str, Any]:
    evaluation = [{"DecodeImage": None}, {"RecResizeImg": {"image_shape": [3, 48, 320]}}, {"KeepKeys": {}}]
    return {"Train": {"dataset": {"transforms": train}, **rest}, "Eval": {"dataset": {"transforms": evaluation}}}


def test_the_missing_resize_of_v4s_recognition_distillation() -> None:
    findings = Findings()
    raw = with_transforms([{"DecodeImage": None}, {"RecAug": None}, {"KeepKeys": {}}])
    steps = rewrite(raw, findings)["Train"]["dataset"]["transforms"]
    assert [next(iter(step)) for step in steps] == ["DecodeImage", "RecAug", "RecResizeImg", "KeepKeys"]
    assert steps[2] == {"RecResizeImg": {"image_shape": [3, 48, 320]}}
    assert [notice.where for notice in findings.notices] == ["Train.dataset.transforms"]
    assert len(raw["Train"]["dataset"]["transforms"]) == 3, "the caller's own list stays as it is"


@pytest.mark.parametrize(
    ("train", "rest"),
    [
        ([{"RecAug": None}, {"KeepKeys": {}}], {"sampler": {"name": "MultiScaleSampler"}}),
        ([{"SVTRRecResizeImg": {"image_shape": [3, 32, 100]}}, {"KeepKeys": {}}], {}),
    ],
)
def test_no_resize_is_added_where_the_size_is_given(train: list[Any], rest: dict[str, Any]) -> None:
    findings = Findings()
    assert rewrite(with_transforms(train, **rest), findings)["Train"]["dataset"]["transforms"] == train
    assert not findings.notices


def test_label_files_win_over_holdout(tmp_path: Path) -> None:
    loaded = load(tmp_path, f"Eval.dataset.label_file_list={tmp_path}/train.txt")
    assert loaded.config.eval.dataset.holdout is None
    assert loaded.config.eval.dataset.label_file_list == (tmp_path / "train.txt",)
    assert said(loaded, "Eval.dataset.holdout")


def test_checkpoints_win_over_pretrained_model(tmp_path: Path) -> None:
    loaded = load(tmp_path, f"Global.checkpoints={tmp_path}", "Global.pretrained_model=nowhere")
    assert said(loaded, "Global.pretrained_model")


def test_pdparams_may_be_left_out(tmp_path: Path) -> None:
    (tmp_path / "best_accuracy.pdparams").write_bytes(b"")
    assert load(tmp_path, f"Global.pretrained_model={tmp_path}/best_accuracy").config


def test_one_ratio_counts_for_every_file(tmp_path: Path) -> None:
    files = f"Train.dataset.label_file_list=[{tmp_path}/train.txt, {tmp_path}/train.txt]"
    for ratio in ("0.5", "[0.5]"):
        config = load(tmp_path, files, f"Train.dataset.ratio_list={ratio}").config
        assert config.train.dataset.ratio_list == (0.5, 0.5)
