"""``-o Section.key=value``: the command line's changes to the YAML, before it is parsed strictly."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from ocrtune.config.yaml_reader import read_yaml
from ocrtune.core.errors import ConfigError, did_you_mean
from ocrtune.core.options import Findings


def apply_overrides(raw: Any, overrides: Iterable[str], findings: Findings) -> Any:
    """A copy of ``raw`` with each ``a.b.c=value`` put in place, in order.

    value: YAML, up to the end of the text (it may hold ``=``); nothing after ``=`` means null.
    Lists are entered by index (from 0) or, where the items are single named transforms, by that name.
    A key that does not exist yet is added: if nobody knows it, strict parsing says so, with the closest name.
    """
    result = copy.deepcopy(raw)
    for override in overrides:
        path, equals, text = override.partition("=")
        keys = path.strip().split(".")
        if not equals or not all(keys):
            findings.problem(f"-o {override}", "expected Section.key=value")
            continue
        try:
            value = read_yaml(text, f"-o {path}", findings)
        except ConfigError as error:
            findings.problem(f"-o {override}", f"the value is not valid YAML: {text!r}", _quote_hint(error))
            continue
        _put(result, keys, value, f"-o {path.strip()}", findings)
    return result


def _put(tree: Any, keys: list[str], value: Any, where: str, findings: Findings) -> None:
    node = tree
    for depth, key in enumerate(keys):
        slot = _slot(node, key, ".".join(keys[:depth]), where, findings)
        if slot is None:
            return
        if depth == len(keys) - 1:
            node[slot] = value
        else:
            if isinstance(node, dict) and node.get(slot) is None:
                node[slot] = {}
            elif isinstance(node, list) and isinstance(node[slot], str):
                node[slot] = {node[slot]: None}  # a transform without options
            if isinstance(node, list) and slot != key and key in node[slot]:
                node = node[slot]
                node[key] = {} if node[key] is None else node[key]
                slot = key
            node = node[slot]


def _slot(node: Any, key: str, parent: str, where: str, findings: Findings) -> Any:
    """Where ``key`` lives in ``node``: itself in a mapping, a number in a list; None when a problem was noted."""
    if isinstance(node, dict):
        return key
    if not isinstance(node, list):
        findings.problem(where, f"{parent} is the value {node!r} and holds no '{key}'")
        return None
    names = [item if isinstance(item, str) else next(iter(item), "") if isinstance(item, dict) else "" for item in node]
    if key.isdigit():
        if int(key) < len(node):
            return int(key)
        findings.problem(where, f"{parent} has {len(node)} items (0 to {len(node) - 1})")
    elif key in names:
        return names.index(key)
    else:
        findings.problem(where, f"{parent} has no item '{key}'", did_you_mean(key, [n for n in names if n]))
    return None


def _quote_hint(error: ConfigError) -> str:
    return "put quotes around text with special characters" if error.problems else ""
