"""Files that hold several networks: which prefixes there are, taking one out, putting several together.

A parameter's name starts with ``backbone.``, ``neck.`` or ``head.``; whatever stands before is the prefix of a network
of a distillation (``Student.``, ``student_model.``, ``Student2.``, ``Teacher.``, ``teacher_model.``) or of a wrapper
(``module.``, ``_layers.``), alone or nested.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from ocrtune.core.errors import Problem, WeightsError

Tensors = Mapping[str, NDArray[Any]]
_PARTS = ("backbone", "neck", "head")


def networks(tensors: Tensors) -> dict[str, list[str]]:
    """Prefix (empty for a file of one network) -> the names of its tensors, in file order."""
    found: dict[str, list[str]] = {}
    for name in tensors:
        parts = name.split(".")
        first = next((i for i, part in enumerate(parts) if part in _PARTS), None)
        if first is not None:
            found.setdefault("".join(f"{part}." for part in parts[:first]), []).append(name)
    return found


def short_name(prefix: str) -> str:
    """``Student`` for ``student_model.``, ``module.Student.`` and the like; empty for a file of one network."""
    parts = [part for part in prefix.split(".") if part not in ("", "module", "_layers", "model")]
    return parts[-1].removesuffix("_model").capitalize() if parts else ""


def extract(tensors: Tensors, model: str | None, where: str) -> tuple[dict[str, NDArray[Any]], str]:
    """(one network's tensors under their own names, the prefix they had).

    model: ``Student``, ``Student2``, ``Teacher`` or a prefix as the file spells it; None when the file holds only one.
    WeightsError when there is no such network, never an empty result.
    """
    found = networks(tensors)
    if not found:
        examples = ", ".join(list(tensors)[:2])
        what = f"holds no PaddleOCR network: no name has backbone, neck or head in it (it has {examples})"
        raise WeightsError(Problem(where, what))
    wanted = [prefix for prefix in found if model is None or model.rstrip(".").lower() in _spellings(prefix)]
    if len(wanted) != 1:
        names = ", ".join(f"{short_name(prefix) or 'the only network'} ('{prefix}')" for prefix in found)
        if wanted:
            raise WeightsError(Problem(where, f"holds {len(wanted)} networks: {names}", "choose one with --model"))
        if list(found) == [""]:
            what = f"has no network '{model}': it holds one network, without a prefix"
            raise WeightsError(Problem(where, what, "leave --model out"))
        raise WeightsError(Problem(where, f"has no network '{model}'; it has {names}", "choose one of these"))
    prefix = wanted[0]
    return {name.removeprefix(prefix): tensors[name] for name in found[prefix]}, prefix


def compose(networks_by_name: Mapping[str, Tensors]) -> dict[str, NDArray[Any]]:
    """The tensors of several networks, each under its name and a dot, as PaddleOCR's DistillationModel has them."""
    return {f"{name}.{key}": value for name, tensors in networks_by_name.items() for key, value in tensors.items()}


def _spellings(prefix: str) -> set[str]:
    return {prefix.rstrip(".").lower(), short_name(prefix).lower()}
