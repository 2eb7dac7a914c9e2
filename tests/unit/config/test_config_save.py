"""A saved configuration loads as an equal one, without notices."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from toy_config import toy_registries, write_toy

from ocrtune.config import load_config, save_config


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["Global.eval_batch_step=[0, 200]", "Global.character_dict_path={folder}/train.txt"],
        ["Train.sampler={name: MultiScaleSampler, fix_bs: false}", "Optimizer.clip_norm_global=5"],
        ["Train.sampler.name=WidthBucketSampler", "Architecture.Neck.name=Any", "Train.dataset.transforms.0.Crop="],
        ["Eval.dataset.label_file_list={folder}/train.txt", "Optimizer.regularizer="],
        ["Optimizer.lr={name: Piecewise, decay_epochs: [2, 3], values: [1e-3, 1e-4]}"],
    ],
)
def test_round_trip(tmp_path: Path, overrides: list[str]) -> None:
    overrides = [override.format(folder=tmp_path) if "{folder}" in override else override for override in overrides]
    config = load_config(write_toy(tmp_path), overrides, toy_registries()).config
    save_config(config, tmp_path / "config.yml")
    again = load_config(tmp_path / "config.yml", registries=toy_registries())
    assert again.config == config
    assert again.notices == ()


def test_a_changed_config_is_saved_as_changed(tmp_path: Path) -> None:
    config = load_config(write_toy(tmp_path), registries=toy_registries()).config
    changed = dataclasses.replace(config, global_options=dataclasses.replace(config.global_options, epoch_num=77))
    save_config(changed, tmp_path / "config.yml")
    assert load_config(tmp_path / "config.yml", registries=toy_registries()).config.global_options.epoch_num == 77


def test_label_files_of_a_saved_config_can_be_replaced(tmp_path: Path) -> None:
    config = load_config(write_toy(tmp_path), registries=toy_registries()).config
    save_config(config, tmp_path / "config.yml")
    files = f"[{tmp_path}/train.txt, {tmp_path}/train.txt]"
    overrides = [f"{section}.dataset.label_file_list={files}" for section in ("Train", "Eval")]
    changed = load_config(tmp_path / "config.yml", overrides, toy_registries()).config
    assert changed.train.dataset.ratio_list == changed.eval.dataset.ratio_list == (1.0, 1.0)


def test_a_file_that_cannot_be_finished_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_config(write_toy(tmp_path), registries=toy_registries()).config
    path = tmp_path / "config.yml"
    save_config(config, path)
    before = path.read_bytes()
    changed = dataclasses.replace(config, global_options=dataclasses.replace(config.global_options, epoch_num=77))

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ocrtune.core.files.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save_config(changed, path)
    assert path.read_bytes() == before
