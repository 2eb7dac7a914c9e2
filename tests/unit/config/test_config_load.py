"""Loading: types, notices, problems with their paths, all at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy_config import TOY, BackboneOptions, CropOptions, HeadOptions, toy_registries, write_toy

from ocrtune.config import Loaded, MultiScaleSampler, WidthBucketSampler, load_config
from ocrtune.core.errors import ConfigError, Problem


def load(folder: Path, *overrides: str, text: str = TOY) -> Loaded:
    return load_config(write_toy(folder, text), overrides, toy_registries())


def problems(folder: Path, *overrides: str, text: str = TOY) -> dict[str, str]:
    """Path in the config -> what was said about it."""
    with pytest.raises(ConfigError) as caught:
        load(folder, *overrides, text=text)
    found = [p for p in caught.value.problems if isinstance(p, Problem)]
    return {p.where: f"{p.what}. {p.fix}" for p in found}


def test_values_are_typed(tmp_path: Path) -> None:
    config = load(tmp_path).config
    assert config.global_options.epoch_num == 3
    assert config.global_options.save_model_dir == Path("output/toy")
    assert config.architecture.backbone.options == BackboneOptions(scale=0.5)
    assert config.architecture.head.options == HeadOptions(("a", "b", "c"))
    assert config.architecture.neck is None
    assert config.optimizer.regularizer is not None
    assert config.optimizer.regularizer.factor == 1e-6
    assert config.train.dataset.label_file_list == (tmp_path / "train.txt",)
    assert config.train.dataset.ratio_list == (1.0,)
    names = [(item.name, item.options) for item in config.train.dataset.transforms]
    assert names == [("Crop", CropOptions((320, 48))), ("Flip", CropOptions())]
    assert config.eval.dataset.holdout == 0.1


@pytest.mark.parametrize(
    ("max_steps", "steps_per_epoch", "epochs"), [(None, 10, 3), (100, 10, 3), (11, 10, 2), (10, 10, 1)]
)
def test_max_steps_takes_whole_epochs(tmp_path: Path, max_steps: int | None, steps_per_epoch: int, epochs: int) -> None:
    options = load(tmp_path, f"Global.max_steps={max_steps or 'null'}").config.global_options
    assert options.epochs(steps_per_epoch) == epochs


def test_meaningless_keys_are_listed_once_with_the_reason(tmp_path: Path) -> None:
    text = TOY.replace("scale: 0.5}", "scale: 0.5, pretrained: x}") + "profiler_options: null\n"
    notices = {notice.where: notice.what for notice in load(tmp_path, text=text).notices}
    assert set(notices) == {"Global.use_gpu", "Architecture.Backbone.pretrained", "profiler_options"}
    assert "GPU" in notices["Global.use_gpu"]


def test_every_problem_is_reported_together(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        "Global.epch_num=3",
        "Global.max_text_length=many",
        "Global.pretrained_model=PP-OCRv6_smal_rec",
        "Global.character_dict_path=nowhere.txt",
        "Architecture.Backbone.scal=1",
        "Train.dataset.label_file_list=[gone.txt]",
        "Train.dataset.transforms.0.Crop.size=[1,2,3]",
        "Trian.loader.shuffle=true",
    )
    assert set(found) == {
        "Global.epch_num",
        "Global.max_text_length",
        "Global.pretrained_model",
        "Global.character_dict_path",
        "Architecture.Backbone.scal",
        "Train.dataset.label_file_list[0]",
        "Train.dataset.transforms[0].Crop.size",
        "Trian",
    }
    assert "did you mean 'epoch_num'" in found["Global.epch_num"]
    assert "expected a whole number" in found["Global.max_text_length"]
    assert "did you mean 'PP-OCRv6_small_rec'" in found["Global.pretrained_model"]
    assert "gone.txt" in found["Train.dataset.label_file_list[0]"]
    assert "did you mean 'Train'" in found["Trian"]


@pytest.mark.parametrize(
    ("override", "where", "fragment"),
    [
        ("Architecture.Backbone.name=TinyNt", "Architecture.Backbone", "did you mean 'TinyNet'"),
        ("Architecture.Backbone=TinyNet", "Architecture.Backbone", "'name'"),
        ("Architecture.Transform.name=TPS", "Architecture.Transform", "leave it empty"),
        ("Architecture.model_type=cls", "Architecture.model_type", "det, rec"),
        ("Train.dataset.transforms=[Crp]", "Train.dataset.transforms[0].Crp", "did you mean 'Crop'"),
        ("Train.dataset.transforms=[{Crop: , Flip: }]", "Train.dataset.transforms[0]", "one transform"),
        ("Train.dataset.transforms=[{Crop: 3}]", "Train.dataset.transforms[0].Crop", "keys and values"),
        ("Train.dataset.transforms=Crop", "Train.dataset.transforms", "expected a list"),
        ("Train.dataset.ratio_list=[1.0, 0.1]", "Train.dataset", "2 ratios for 1 label files"),
        ("Train.dataset.ratio_list=0", "Train.dataset", "above 0"),
        ("Train.dataset.holdout=0.1", "Train.dataset.holdout", "belongs to Eval"),
        ("Train.dataset.label_file_list=", "Train.dataset.label_file_list", "no label file"),
        ("Eval.dataset.holdout=", "Eval.dataset.label_file_list", "nothing to evaluate on"),
        ("Eval.dataset.holdout=1.5", "Eval.dataset", "between 0 and 1"),
        ("Train.loader.batch_size_per_card=0", "Train.loader", "at least 1"),
        ("Train.loader.batch_size_per_card=2.5", "Train.loader.batch_size_per_card", "a whole number"),
        ("Train.sampler.name=MultiScale", "Train.sampler", "did you mean 'MultiScaleSampler'"),
        ("Global.epoch_num=0", "Global", "at least 1"),
        ("Global.precision=fp16", "Global.precision", "auto, float32, bfloat16"),
        ("Global.pretrained_model=", "Global.character_dict_path", "which characters"),
        ("Global.pretrained_model=https://host/x.pdparams", "Global.pretrained_model", "not downloaded"),
        ("Global.checkpoints=nowhere", "Global.checkpoints", "no checkpoint"),
        ("Optimizer.lr.learning_rate=", "Optimizer.lr", "Cosine needs learning_rate"),
        ("Optimizer.lr.learning_rate=5.0-05", "Optimizer.lr.learning_rate", "expected a number"),
        ("Optimizer.weight_decay=0.1", "Optimizer", "belongs to AdamW"),
        ("Optimizer.name=AdamW", "Optimizer", "weight_decay, not regularizer"),
        ("Optimizer.lr={name: Piecewise, decay_epochs: [3], values: [1, 2, 3]}", "Optimizer.lr", "one value more"),
    ],
)
def test_one_wrong_value(tmp_path: Path, override: str, where: str, fragment: str) -> None:
    assert fragment in problems(tmp_path, override)[where]


def test_a_missing_section_is_a_problem(tmp_path: Path) -> None:
    found = problems(tmp_path, text=TOY.replace("Metric: {name: RecMetric, main_indicator: acc}", ""))
    assert set(found) == {"Metric"}


@pytest.mark.parametrize(
    ("text", "line", "fragment"),
    [("Global: {a: 1\nLoss: x", ":2", "not valid YAML"), ("[1, 2]", "", "expected the sections"), ("", "", "sections")],
)
def test_not_a_configuration(tmp_path: Path, text: str, line: str, fragment: str) -> None:
    path = tmp_path / "bad.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=fragment) as caught:
        load_config(path)
    assert str(caught.value).startswith(f"{path}{line}")


def test_no_file() -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        load_config("nowhere.yml")


def test_yaml_is_loaded_safely(tmp_path: Path) -> None:
    path = write_toy(tmp_path, TOY.replace("epoch_num: &epochs 3", "epoch_num: !!python/object/apply:os.getpid []"))
    with pytest.raises(ConfigError, match="could not determine a constructor"):
        load_config(path)


def test_files_are_checked_only_where_they_are_needed(tmp_path: Path) -> None:
    path = write_toy(tmp_path)
    (tmp_path / "train.txt").unlink()
    assert load_config(path, registries=toy_registries(), files_of=("Global",)).config
    for sections in (("Train",), ("Eval",)):  # Eval's holdout is a share of Train's files
        with pytest.raises(ConfigError, match="no label file"):
            load_config(path, registries=toy_registries(), files_of=sections)
    (tmp_path / "val.txt").touch()
    own = [f"Eval.dataset.label_file_list={tmp_path}/val.txt"]
    assert load_config(path, own, toy_registries(), files_of=("Eval",)).config


def test_samplers(tmp_path: Path) -> None:
    multi = load(tmp_path, "Train.sampler={name: MultiScaleSampler, scales: [[320, 48]], first_bs: 4, fix_bs: false}")
    assert multi.config.train.sampler == MultiScaleSampler(scales=((320, 48),), first_bs=4, fix_bs=False)
    assert load(tmp_path, "Train.sampler.name=WidthBucketSampler").config.train.sampler == WidthBucketSampler()
