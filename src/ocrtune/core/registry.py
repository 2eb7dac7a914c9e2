"""Name -> component. A registry lists one folder, so adding a component is adding one file."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ocrtune.core.errors import ConfigError, Problem, did_you_mean
from ocrtune.core.options import Findings, parse_options

T = TypeVar("T")
C = TypeVar("C", bound=Callable[..., Any])


@dataclass(frozen=True)
class Entry(Generic[T]):
    """A registered component: ``factory(options, **context)`` builds it; ``options`` is its dataclass type."""

    name: str
    factory: Callable[..., T]
    options: type


class Registry(Generic[T]):
    """Components that a YAML names, for example backbones.

    kind: what one entry is, for error messages ("backbone").
    package: the package whose modules register the entries; imported on the first look-up.

    PaddleOCR calls two different networks ``MobileNetV3``, one per task. An entry may therefore belong to a ``task``;
    it is listed as ``task/name``, and a look-up for that task prefers it to the plain entry.
    """

    def __init__(self, kind: str, package: str):
        self.kind = kind
        self.package = package
        self._entries: dict[str, Entry[T]] = {}
        self._loaded = False

    def register(self, name: str, options: type, task: str | None = None) -> Callable[[C], C]:
        """Class decorator: ``@backbones.register("PPLCNetV4", Options)``."""
        key = name if task is None else f"{task}/{name}"

        def decorate(factory: C) -> C:
            if key in self._entries:
                raise ValueError(f"{self.kind} '{key}' is registered twice")
            self._entries[key] = Entry(name, factory, options)
            return factory

        return decorate

    def names(self) -> list[str]:
        """All registered names, sorted; those of one task as ``task/name``."""
        self._load()
        return sorted(self._entries)

    def get(self, name: str, where: str = "", task: str | None = None) -> Entry[T]:
        """The entry called ``name``; ConfigError with the closest name otherwise."""
        entry = self._find(name, task)
        if entry is None:
            what = f"no {self.kind} is called '{name}'"
            raise ConfigError(Problem(where or self.kind, what, did_you_mean(name, self._entries)))
        return entry

    def parse(
        self, name: str, raw: Mapping[str, Any] | None, where: str, findings: Findings, task: str | None = None
    ) -> Any:
        """The options dataclass of ``name`` filled from ``raw``; ``None`` when problems were found."""
        entry = self._find(name, task)
        if entry is None:
            what = f"no {self.kind} is called '{name}'"
            findings.problem(where, what, did_you_mean(name, self._entries))
            return None
        return parse_options(entry.options, raw, where, findings)

    def _find(self, name: str, task: str | None) -> Entry[T] | None:
        self._load()
        return self._entries.get(f"{task}/{name}") or self._entries.get(name)

    def _load(self) -> None:
        if self._loaded:
            return
        self._loaded = True
        package = importlib.import_module(self.package)
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{self.package}.{module.name}")
