"""A codec dataclass as plain JSON data and back, as the model card inside an exported file holds it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar, cast

from ocrtune.core.errors import DataError
from ocrtune.core.options import Findings, parse_fields

T = TypeVar("T")


def to_dict(settings: Any) -> dict[str, Any]:
    """The fields of a dataclass instance; tuples become lists, so that a JSON round trip changes nothing."""
    fields = dataclasses.asdict(settings)
    return {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}


def from_dict(cls: type[T], raw: Mapping[str, Any]) -> T:
    """The dataclass ``cls`` filled from ``raw``; DataError lists every unknown key and wrong type."""
    findings = Findings()
    settings = parse_fields(cls, raw, cls.__name__, findings)
    if findings.problems:
        raise DataError(findings.problems)
    return cast(T, settings)
