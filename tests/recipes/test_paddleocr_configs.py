"""PaddleOCR's own YAML files load without an edit; only the paths come from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocrtune.config import MultiScaleSampler, RunConfig, load_config, save_config
from ocrtune.core.errors import ConfigError
from ocrtune.training.registries import all_registries

_FILES = (
    "rec/ch_PP-OCRv2/ch_PP-OCRv2_rec.yml",
    "det/ch_PP-OCRv2/ch_PP-OCRv2_det_student.yml",
    "det/PP-OCRv6/PP-OCRv6_small_det.yml",
    "rec/PP-OCRv6/PP-OCRv6_small_rec.yml",
)


def load(shared: Path, file: str, folder: Path) -> RunConfig:
    """``file`` with every path of it put into ``folder``."""
    for name in ("train.txt", "val.txt", "keys.txt", "student.pdparams"):
        (folder / name).write_text("x")
    overrides = [
        f"{section}.dataset.{key}={value}"
        for section, labels in (("Train", "train.txt"), ("Eval", "val.txt"))
        for key, value in (("data_dir", folder), ("label_file_list", f"[{folder / labels}]"))
    ]
    if file.startswith("rec"):
        overrides.append(f"Global.character_dict_path={folder / 'keys.txt'}")
    if "student" in file:
        overrides.append(f"Global.pretrained_model={folder / 'student'}")
    loaded = load_config(shared / "paddleocr-configs" / file, overrides, all_registries())
    assert all(notice.what.startswith("ignored: ") for notice in loaded.notices)
    assert len({notice.where for notice in loaded.notices}) == len(loaded.notices)
    assert "Global.use_gpu" in {notice.where for notice in loaded.notices}
    return loaded.config


@pytest.mark.parametrize("file", _FILES)
def test_loads_and_saves(shared: Path, file: str, tmp_path: Path) -> None:
    config = load(shared, file, tmp_path)
    save_config(config, tmp_path / "config.yml")
    again = load_config(tmp_path / "config.yml", registries=all_registries())
    assert again.config == config
    assert again.notices == ()


def test_values_of_v6_small_rec(shared: Path, tmp_path: Path) -> None:
    config = load(shared, _FILES[3], tmp_path)
    assert config.train.sampler == MultiScaleSampler(first_bs=128, fix_bs=False)
    assert config.train.loader.batch_size_per_card == 128
    assert config.global_options.eval_batch_step == (0, 2000)
    assert config.architecture.head.options.nrtr.max_text_length == 25


def test_values_of_v6_small_det(shared: Path, tmp_path: Path) -> None:
    config = load(shared, _FILES[2], tmp_path)
    assert config.global_options.use_ema
    assert config.global_options.ema_decay == 0.9997
    assert config.eval.dataset.transforms[2].options.limit_side_len == 4000
    assert config.loss.options.focal_gamma == 2.5


def test_a_distillation_config_is_refused_with_one_reason(shared: Path) -> None:
    """It defines a key twice, which strict YAML readers fail on; here only the several models are the problem."""
    with pytest.raises(ConfigError) as caught:
        load_config(shared / "paddleocr-configs/det/ch_PP-OCRv2/ch_PP-OCRv2_det_dml.yml", registries=all_registries())
    assert [str(problem).split(":")[0] for problem in caught.value.problems] == ["Architecture.Models"]
