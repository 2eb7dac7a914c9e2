"""Write a configuration that :func:`ocrtune.config.load_config` reads back as an equal one."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ocrtune.config.component import Component
from ocrtune.config.data_schema import ARCHIVES, DatasetOptions
from ocrtune.config.schema import RunConfig
from ocrtune.core.files import write_whole


def save_config(config: RunConfig, path: Path | str) -> None:
    """Write ``config`` as YAML in PaddleOCR's dialect, defaults spelled out, keys of no meaning left out.

    The file appears whole or not at all. OSError when it cannot be written.
    """
    text = yaml.safe_dump(to_yaml(config), sort_keys=False, allow_unicode=True, width=120)
    write_whole(Path(path), text.encode())


def to_yaml(value: Any) -> Any:
    """Dataclasses, paths and tuples as the mappings, texts and lists that YAML knows."""
    if isinstance(value, Component):
        return {"name": value.name, **_options(value)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.metadata.get("key", field.name): _field(value, field) for field in _fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_yaml(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_yaml(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _fields(value: Any) -> list[dataclasses.Field[Any]]:
    return [f for f in dataclasses.fields(value) if f.init and "ignored" not in f.metadata]


def _field(owner: Any, field: dataclasses.Field[Any]) -> Any:
    value = getattr(owner, field.name)
    if isinstance(owner, DatasetOptions) and field.name == "transforms":
        return [{item.name: _options(item)} for item in value]
    if isinstance(owner, DatasetOptions) and field.name == "ratio_list" and _is_one_number(owner):
        return value[0] if value else 1.0  # one number goes with any number of label files
    return to_yaml(value)


def _is_one_number(owner: DatasetOptions) -> bool:
    """Whether one number says all of ``ratio_list``; how many archives there are is not known here."""
    return len(owner.ratio_list) <= 1 if owner.name in ARCHIVES else len(set(owner.ratio_list)) <= 1


def _options(component: Component) -> dict[str, Any]:
    """The typed options with their defaults; options with a YAML form of their own as they were written."""
    if _has_own_form(component.options):
        return dict(to_yaml(component.raw))
    return dict(to_yaml(component.options))


def _has_own_form(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(_has_own_form(item) for item in value)
    if isinstance(value, Mapping):
        return any(_has_own_form(item) for item in value.values())
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return False
    return hasattr(type(value), "parse") or any(_has_own_form(getattr(value, f.name)) for f in _fields(value))
