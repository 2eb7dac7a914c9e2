"""``-o Section.key=value``: the command line's changes to the YAML, before it is parsed strictly."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ocrtune.config.yaml_reader import read_yaml
from ocrtune.core.errors import ConfigError, did_you_mean
from ocrtune.core.options import Findings


def apply_overrides(raw: Any, overrides: Iterable[str], findings: Findings) -> Any:
    """A copy of ``raw`` with each ``a.b.c=value`` put in place, in order.

    value: YAML, up to the end of the text (it may hold ``=``); nothing after ``=`` means null.
    Lists are entered by index (from 0), lists of transforms also by the transform's name.
    A key that does not exist yet is added: if nobody knows it, strict parsing says so, with the closest name.
    """
    result = _unshared(raw)
    for override in overrides:
        path, equals, text = override.partition("=")
        keys = path.strip().split(".")
        if not equals or not all(keys):
            findings.problem(f"-o {override}", "expected Section.key=value")
            continue
        try:
            value = read_yaml(text, f"-o {path}", findings)
        except ConfigError:
            fix = "put quotes around text with special characters"
            findings.problem(f"-o {path}", f"the value is not valid YAML: {text!r}", fix)
            continue
        _put(result, keys, value, f"-o {path.strip()}", findings)
    return result


def _unshared(value: Any) -> Any:
    """A deep copy in which what YAML's anchors shared is apart (``copy.deepcopy`` keeps it shared)."""
    if isinstance(value, dict):
        return {key: _unshared(item) for key, item in value.items()}
    return [_unshared(item) for item in value] if isinstance(value, list) else value


def _put(tree: Any, keys: list[str], value: Any, where: str, findings: Findings) -> None:
    node = tree
    for depth, key in enumerate(keys[:-1]):
        node = _enter(node, key, _Place(where, ".".join(keys[:depth]), findings))
        if node is None:
            return
    last, place = keys[-1], _Place(where, ".".join(keys[:-1]), findings)
    if isinstance(node, dict):
        node[last] = value
    elif (index := _index(node, last, place)) is not None:
        node[index] = value if last.isdigit() else {last: value}


@dataclass(frozen=True)
class _Place:
    """For messages: the override, and the path of the node that is being entered."""

    where: str
    path: str
    findings: Findings

    def problem(self, what: str, fix: str = "") -> None:
        self.findings.problem(self.where, f"{self.path} {what}", fix)


def _enter(node: Any, key: str, place: _Place) -> Any:
    """The value of ``key`` in a mapping or list; an empty one becomes a mapping. None when a problem was noted."""
    if isinstance(node, dict):
        if node.get(key) is None:
            node[key] = {}
        return node[key]
    if (index := _index(node, key, place)) is None:
        return None
    if isinstance(node[index], str):
        node[index] = {node[index]: None}  # a transform without options
    return node[index] if key.isdigit() else _enter(node[index], key, place)


def _index(node: Any, key: str, place: _Place) -> int | None:
    """The position in a list that ``key`` means, a number or the name of an item."""
    if not isinstance(node, list):
        place.problem(f"is the value {node!r} and holds no '{key}'")
        return None
    if key.isdigit():
        if int(key) < len(node):
            return int(key)
        place.problem(f"has {len(node)} items (0 to {len(node) - 1})")
        return None
    names = [item if isinstance(item, str) else next(iter(item), "") if isinstance(item, dict) else "" for item in node]
    if key in names:
        return names.index(key)
    place.problem(f"has no item '{key}'", did_you_mean(key, [name for name in names if name]))
    return None
