"""Every recipe that is shipped: loads to the last key, saves, and is launched by the command in its header."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import ocrtune
from ocrtune.config import load_config, save_config
from ocrtune.config.recipes import find_config, recipe_names, recipe_title
from ocrtune.core.errors import ConfigError
from ocrtune.training.registries import all_registries
from ocrtune.weights import catalogue

_ROOT = Path(__file__).parent.parent.parent


def test_every_yaml_in_the_package_is_a_recipe() -> None:
    folder = Path(ocrtune.__file__).parent / "recipes"
    files = {path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.y*ml")}
    assert files == set(recipe_names())
    assert {"rec/PP-OCRv6_small", "det/PP-OCRv6_small", "rec/PP-OCRv2", "det/PP-OCRv2_student"} <= files


@pytest.mark.parametrize("name", recipe_names())
def test_loads_and_saves(name: str, tmp_path: Path) -> None:
    registries = all_registries()
    loaded = load_config(find_config(name), registries=registries, files_of=("Global",))
    assert loaded.notices == (), "a recipe has no key without meaning"
    assert loaded.config.architecture.model_type == name.split("/")[0]
    save_config(loaded.config, tmp_path / "config.yml")
    again = load_config(tmp_path / "config.yml", registries=registries, files_of=("Global",))
    assert again.config == loaded.config
    assert again.notices == ()


@pytest.mark.parametrize("name", recipe_names())
def test_the_command_in_the_header_works(name: str, tmp_path: Path) -> None:
    """Once with the training labels only (holdout), once with validation labels of one's own."""
    header = "\n".join(line[1:] for line in find_config(name).read_text().split("\n") if line.startswith("#"))
    command = re.search(r"ocrtune train.*?(?=\n\n|\n A )", header.replace("\\\n", " "), re.DOTALL)
    assert command is not None
    words = shlex.split(command.group(0).replace("DATA", str(tmp_path)))
    assert words[3] == name
    assert recipe_title(name).startswith("Fine-tune")
    for file in ("train.txt", "rec_train.txt", "val.txt", "rec_val.txt"):
        (tmp_path / file).touch()
    own = re.search(r"-o Eval.dataset.data_dir.*", header)
    assert own is not None
    for extra in ("", own.group(0).replace("DATA", str(tmp_path))):
        overrides = [word for word in words[4:] + shlex.split(extra) if word != "-o"]
        config = load_config(find_config(name), overrides, all_registries()).config
        assert config.train.dataset.data_dir == tmp_path
        assert (config.eval.dataset.holdout is None) == bool(extra)


@pytest.mark.parametrize("name", [n for n in recipe_names() if n != "det/PP-OCRv2_student"])
def test_starts_from_weights_of_the_catalogue_with_the_same_network(name: str) -> None:
    config = load_config(find_config(name), registries=all_registries(), files_of=()).config
    entry = catalogue.find(str(config.global_options.pretrained_model))
    assert entry.task == config.architecture.model_type
    backbone = {"name": config.architecture.backbone.name, **config.architecture.backbone.raw}
    assert backbone == entry.architecture["Backbone"]
    assert config.global_options.use_space_char == entry.use_space_char


@pytest.mark.parametrize(
    "name",
    ["rec/PP-OCRv6_small", "rec/PP-OCRv6_small.yml", "recipes/rec/PP-OCRv6_small.yml", "./recipes/rec/PP-OCRv6_small"],
)
def test_names_of_a_recipe(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_config(name).name == "PP-OCRv6_small.yml"


def test_the_folder_at_the_root_of_the_repository() -> None:
    assert (_ROOT / "recipes" / "rec" / "PP-OCRv6_small.yml").is_file()


def test_a_file_wins_over_a_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rec").mkdir()
    (tmp_path / "rec" / "PP-OCRv2").write_text("mine")
    assert find_config("rec/PP-OCRv2") == Path("rec/PP-OCRv2")


def test_unknown_recipe() -> None:
    with pytest.raises(ConfigError, match="did you mean 'rec/PP-OCRv6_small'"):
        find_config("rec/PP-OCRv6_smal")
