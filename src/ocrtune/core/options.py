"""Strict parsing of mappings (from YAML) into dataclasses: every problem is collected, none is guessed away.

A field may carry metadata:
``key``      the YAML spelling where it is not the field's name;
``ignored``  the reason why a key that PaddleOCR knows means nothing here (accepted, then reported once).

A dataclass whose YAML form is not a plain mapping of its fields defines a classmethod
``parse(raw, where, findings) -> Self | None`` of its own; it may call :func:`parse_fields` for the plain part.
Where a field takes one of several dataclasses, each may define a classmethod ``suits(raw) -> bool``: only those that
suit are tried, so that the problems are those of the one that was meant.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, Union

from ocrtune.core.errors import Problem, did_you_mean

T = TypeVar("T")
_BAD = object()


@dataclasses.dataclass
class Findings:
    """What parsing saw besides the values: problems (fatal together) and notices (said once)."""

    problems: list[Problem] = dataclasses.field(default_factory=list)
    notices: list[Problem] = dataclasses.field(default_factory=list)

    def problem(self, where: str, what: str, fix: str = "") -> None:
        self.problems.append(Problem(where, what, fix))

    def notice(self, where: str, what: str) -> None:
        self.notices.append(Problem(where, what))


def ignored(reason: str, default: Any = None) -> Any:
    """A dataclass field for a PaddleOCR key that has no meaning in ocrtune."""
    return dataclasses.field(default=default, metadata={"ignored": reason}, repr=False)


def parse_options(cls: type[T], raw: Any, where: str, findings: Findings) -> T | None:
    """Build ``cls`` from ``raw``; ``None`` when a problem was found (it is then in ``findings``)."""
    own = getattr(cls, "parse", None)
    return typing.cast("T | None", own(raw, where, findings)) if own else parse_fields(cls, raw, where, findings)


def parse_fields(cls: type[T], raw: Any, where: str, findings: Findings) -> T | None:
    """As :func:`parse_options`, always key by key."""
    values: dict[str, Any] = {}
    raw = {} if raw is None else raw
    if not isinstance(raw, Mapping):
        findings.problem(where, f"expected keys and values, got {_show(raw)}")
        return None
    before = len(findings.problems)
    hints = typing.get_type_hints(cls)
    # callers give dataclasses only, which the type variable cannot say
    fields = {f.metadata.get("key", f.name): f for f in dataclasses.fields(cls) if f.init}  # type: ignore[arg-type]
    for key, value in raw.items():
        field = fields.get(str(key))
        path = f"{where}.{key}" if where else str(key)
        if field is None:
            findings.problem(path, "unknown key", did_you_mean(str(key), fields))
        elif "ignored" in field.metadata:
            findings.notice(path, f"ignored: {field.metadata['ignored']}")
        else:
            converted = convert(value, hints[field.name], path, findings)
            if converted is not _BAD:
                values[field.name] = converted
    for key, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and key not in raw:
            findings.problem(f"{where}.{key}" if where else key, "missing", "this key has no default")
    if len(findings.problems) > before:
        return None
    try:
        return cls(**values)
    except ValueError as error:  # raised by __post_init__ for values that do not fit together
        findings.problem(where, str(error))
        return None


def divided(raw: Mapping[str, Any], cls: type) -> tuple[dict[str, Any], dict[str, Any]]:
    """The keys of ``raw`` that are fields of the dataclass ``cls``, and all others: for options inside options."""
    own = {f.metadata.get("key", f.name) for f in dataclasses.fields(cls) if f.init}
    return {k: v for k, v in raw.items() if k in own}, {k: v for k, v in raw.items() if k not in own}


def convert(value: Any, hint: Any, where: str, findings: Findings) -> Any:
    """``value`` as the type ``hint``; the module's ``_BAD`` marker when it cannot be that."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin in (Union, types.UnionType):
        return _convert_union(value, args, where, findings)
    if origin is Literal:
        if value in args:
            return value
        findings.problem(where, f"got {_show(value)}, expected one of {', '.join(map(str, args))}")
        return _BAD
    if origin in (tuple, list, Sequence) or hint in (tuple, list):
        return _convert_sequence(value, origin or hint, args, where, findings)
    if origin in (dict, Mapping) or hint is dict:
        if isinstance(value, Mapping):
            return dict(value)
    elif dataclasses.is_dataclass(hint):
        parsed = parse_options(typing.cast(type, hint), value, where, findings)
        return _BAD if parsed is None else parsed
    elif (converted := _convert_scalar(value, hint)) is not _BAD:
        return converted
    findings.problem(where, f"got {_show(value)}, expected {_name(hint)}")
    return _BAD


def _convert_union(value: Any, args: tuple[Any, ...], where: str, findings: Findings) -> Any:
    if value is None and type(None) in args:
        return None
    args = tuple(hint for hint in args if getattr(hint, "suits", _always)(value))
    tries = [Findings() for _ in args]
    for hint, attempt in zip(args, tries):
        if hint is type(None):
            continue
        if (converted := convert(value, hint, where, attempt)) is not _BAD:
            findings.notices += attempt.notices
            return converted
    candidates = [t for t, hint in zip(tries, args) if hint is not type(None)]
    if len(candidates) == 1:
        findings.problems += candidates[0].problems
    else:
        wanted = " or ".join(_name(hint) for hint in args if hint is not type(None))
        findings.problem(where, f"got {_show(value)}, expected {wanted}")
    return _BAD


def _always(value: Any) -> bool:
    return True


def _convert_sequence(value: Any, kind: Any, args: tuple[Any, ...], where: str, findings: Findings) -> Any:
    if isinstance(value, (str, Mapping)) or not isinstance(value, Sequence):
        findings.problem(where, f"got {_show(value)}, expected a list")
        return _BAD
    fixed = kind is tuple and bool(args) and args[-1] is not Ellipsis
    if fixed and len(value) != len(args):
        findings.problem(where, f"got {len(value)} values, expected {len(args)}")
        return _BAD
    hints = args if fixed else (args[:1] or (Any,)) * len(value)
    items = [convert(item, hint, f"{where}[{i}]", findings) for i, (item, hint) in enumerate(zip(value, hints))]
    if any(item is _BAD for item in items):
        return _BAD
    return tuple(items) if kind is tuple else items


def _convert_scalar(value: Any, hint: Any) -> Any:
    if hint is bool:
        return value if isinstance(value, bool) else _BAD
    if hint is int:
        if isinstance(value, bool):
            return _BAD
        return int(value) if isinstance(value, int) or (isinstance(value, float) and value.is_integer()) else _BAD
    if hint is float:
        return _to_float(value)
    if hint is str:
        return value if isinstance(value, str) else _BAD
    if hint is Path:
        return Path(value) if isinstance(value, (str, Path)) and str(value) else _BAD
    return value if isinstance(hint, type) and isinstance(value, hint) else _BAD


def _to_float(value: Any) -> Any:
    """Numbers, and what YAML 1.1 leaves as text: ``1e-6``; PaddleOCR also writes ``1./255.``."""
    if isinstance(value, bool):
        return _BAD
    if isinstance(value, (int, float)):
        return float(value)
    if isinstance(value, str):
        parts = value.split("/")
        try:
            numbers = [float(part) for part in parts]
        except ValueError:
            return _BAD
        if len(numbers) == 1:
            return numbers[0]
        if len(numbers) == 2 and numbers[1] != 0:
            return numbers[0] / numbers[1]
    return _BAD


def _name(hint: Any) -> str:
    names = {int: "a whole number", float: "a number", str: "text", bool: "true or false", Path: "a path"}
    if hint in names:
        return names[hint]
    if typing.get_origin(hint) in (tuple, list):
        return "a list"
    return getattr(hint, "__name__", str(hint))


def _show(value: Any) -> str:
    text = repr(value)
    return f"{text[:60]}..." if len(text) > 60 else text
