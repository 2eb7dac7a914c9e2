"""Data sets in archives: LMDBDataSet and TarDataSet in a configuration."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy_config import TOY, toy_registries, write_toy

from ocrtune.config import Loaded, load_config, save_config
from ocrtune.core.errors import ConfigError

NAMES = ("LMDBDataSet", "TarDataSet")


def load(folder: Path, *overrides: str, text: str = TOY) -> Loaded:
    (folder / "train_data").mkdir(exist_ok=True)
    return load_config(write_toy(folder, text), overrides, toy_registries())


def of(name: str, folder: Path, section: str = "Train") -> tuple[str, str]:
    return f"{section}.dataset.name={name}", f"{section}.dataset.data_dir={folder}/train_data"


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_is_turned_to_archives_by_two_overrides(tmp_path: Path, name: str) -> None:
    loaded = load(tmp_path, *of(name, tmp_path))
    train, evaluation = loaded.config.train.dataset, loaded.config.eval.dataset
    assert (train.name, train.data_dir) == (name, tmp_path / "train_data")
    assert train.has_samples
    assert train.label_file_list == ()
    assert train.ratio_list == (1.0,)
    assert evaluation.holdout == 0.1
    assert not evaluation.has_samples
    notices = {notice.where: notice.what for notice in loaded.notices}
    assert notices["Train.dataset.label_file_list"] == f"not used: {name} has the labels in data_dir"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("ratio", ["0.5", "[0.5, 0.5]", "[1, 0.25, 2]"])
def test_saved_as_it_was(tmp_path: Path, name: str, ratio: str) -> None:
    loaded = load(
        tmp_path, *of(name, tmp_path), *of(name, tmp_path, "Eval"), f"Train.dataset.ratio_list={ratio}"
    ).config
    assert loaded.eval.dataset.holdout is None
    save_config(loaded, tmp_path / "saved.yml")
    again = load_config(tmp_path / "saved.yml", registries=toy_registries())
    assert again.config == loaded
    assert again.notices == ()


def test_an_evaluation_set_of_its_own_wins_over_holdout(tmp_path: Path) -> None:
    loaded = load(tmp_path, *of("TarDataSet", tmp_path, "Eval"))
    assert loaded.config.eval.dataset.holdout is None
    assert "not used: data_dir is given" in {n.what for n in loaded.notices if n.where == "Eval.dataset.holdout"}


def test_no_label_file_is_looked_for(tmp_path: Path) -> None:
    (tmp_path / "train_data").mkdir()
    path = write_toy(tmp_path)
    (tmp_path / "train.txt").unlink()
    assert load_config(path, of("TarDataSet", tmp_path), toy_registries()).config


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("Train.dataset.data_dir=.",), "Train.dataset.data_dir: NAME needs the folder with its data"),
        (("Train.dataset.data_dir=nowhere",), "Train.dataset.data_dir: no folder nowhere"),
        (("Eval.dataset.name=NAME", "Eval.dataset.holdout="), "Eval.dataset.data_dir: nothing to evaluate on"),
        (("Train.dataset.mix={a: 1, b: 0}",), "mix takes numbers above 0"),
        (("Train.dataset.mix={a: 1, b: 1}", "Train.dataset.ratio_list=0.5"), "give either mix or ratio_list"),
        (("Eval.dataset.mix_per_batch=true",), "mix_per_batch"),
    ],
)
def test_mistakes(tmp_path: Path, name: str, change: tuple[str, ...], said: str) -> None:
    changes = [text.replace("NAME", name) for text in change]
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, *of(name, tmp_path), *changes)
    assert said.replace("NAME", name) in str(caught.value)


def test_lmdb_is_for_recognition(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"Train.dataset.name: LMDBDataSet holds labels of recognition. 'ocrtune pack'"
    ):
        load(tmp_path, *of("LMDBDataSet", tmp_path), text=TOY.replace("model_type: rec", "model_type: det"))
    load(tmp_path, *of("TarDataSet", tmp_path), text=TOY.replace("model_type: rec", "model_type: det"))


def test_other_sets_of_paddleocr_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"got 'LMDBDataSetSR', expected one of SimpleDataSet, .*LMDBDataSet, TarData"
    ):
        load(tmp_path, *of("LMDBDataSetSR", tmp_path))


def test_mix_per_batch(tmp_path: Path) -> None:
    (tmp_path / "other.txt").touch()
    files = f"Train.dataset.label_file_list=[{tmp_path}/train.txt, {tmp_path}/other.txt]"
    one = "Train.dataset.mix_per_batch=true"
    assert load(tmp_path, files, "Train.dataset.ratio_list=1", one).config.train.dataset.mix_per_batch
    with pytest.raises(ConfigError, match="mix_per_batch mixes several label files, here is one"):
        load(tmp_path, one)
    with pytest.raises(ConfigError, match=r"Eval.dataset.mix_per_batch: evaluation sees every sample once"):
        load(tmp_path, files.replace("Train", "Eval"), one.replace("Train", "Eval"))
