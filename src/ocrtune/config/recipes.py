"""The configurations that come with the package: ``recipes/det/*.yml`` and ``recipes/rec/*.yml``."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from ocrtune.core.errors import ConfigError, Problem, did_you_mean

_SUFFIX = ".yml"


def recipe_names() -> list[str]:
    """Names such as ``rec/PP-OCRv6_small``, sorted."""
    folder = _folder()
    return sorted(path.relative_to(folder).with_suffix("").as_posix() for path in folder.glob(f"*/*{_SUFFIX}"))


def find_config(name: str) -> Path:
    """The file that ``-c name`` means: a path, or the name of a recipe. ConfigError when neither exists.

    ``rec/PP-OCRv6_small``, ``rec/PP-OCRv6_small.yml`` and ``recipes/rec/PP-OCRv6_small.yml`` are the same recipe.
    """
    if Path(name).is_file():
        return Path(name)
    short = name.removeprefix("./").removeprefix("recipes/").removesuffix(_SUFFIX)
    if short in recipe_names():
        return _folder() / f"{short}{_SUFFIX}"
    fix = did_you_mean(short, recipe_names())
    raise ConfigError(Problem(f"-c {name}", "no such file and no such recipe", fix))


def recipe_title(name: str) -> str:
    """The first sentence of a recipe's header comment."""
    first = find_config(name).read_text(encoding="utf-8").split("\n", 1)[0]
    return first.removeprefix("#").strip().split(". ")[0]


def _folder() -> Path:
    return Path(str(files("ocrtune"))) / "recipes"
