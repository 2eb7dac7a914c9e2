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
    """

    def __init__(self, kind: str, package: str):
        self.kind = kind
        self.package = package
        self._entries: dict[str, Entry[T]] = {}
        self._loaded = False

    def register(self, name: str, options: type) -> Callable[[C], C]:
        """Class decorator: ``@backbones.register("PPLCNetV4", Options)``."""

        def decorate(factory: C) -> C:
            if name in self._entries:
                raise ValueError(f"{self.kind} '{name}' is registered twice")
            self._entries[name] = Entry(name, factory, options)
            return factory

        return decorate

    def names(self) -> list[str]:
        """All registered names, sorted."""
        self._load()
        return sorted(self._entries)

    def get(self, name: str, where: str = "") -> Entry[T]:
        """The entry called ``name``; ConfigError with the closest name otherwise."""
        self._load()
        if name not in self._entries:
            what = f"no {self.kind} is called '{name}'"
            raise ConfigError(Problem(where or self.kind, what, did_you_mean(name, self._entries)))
        return self._entries[name]

    def parse(self, name: str, raw: Mapping[str, Any] | None, where: str, findings: Findings) -> Any:
        """The options dataclass of ``name`` filled from ``raw``; ``None`` when problems were found."""
        self._load()
        if name not in self._entries:
            what = f"no {self.kind} is called '{name}'"
            findings.problem(where, what, did_you_mean(name, self._entries))
            return None
        return parse_options(self._entries[name].options, raw, where, findings)

    def _load(self) -> None:
        if self._loaded:
            return
        self._loaded = True
        package = importlib.import_module(self.package)
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{self.package}.{module.name}")
