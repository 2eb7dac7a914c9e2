"""Which registry reads which part of the YAML, and the reading of those parts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ocrtune.config.component import Component
from ocrtune.core.options import Findings
from ocrtune.core.registry import Registry


@dataclass(frozen=True)
class Registries:
    """What the components of a configuration may be called. None leaves their options an unchecked dict.

    pretrained: names that ``Global.pretrained_model`` may have besides a file (the catalogue of weights).
    """

    backbones: Registry[Any] | None = None
    necks: Registry[Any] | None = None
    heads: Registry[Any] | None = None
    losses: Registry[Any] | None = None
    transforms: Registry[Any] | None = None
    postprocess: Registry[Any] | None = None
    metrics: Registry[Any] | None = None
    pretrained: Collection[str] = ()


_BROKEN = Component("", None)  # stands for a part whose problem is already noted


def read_components(raw: Mapping[str, Any], registries: Registries, findings: Findings) -> dict[str, Any]:
    """A copy of the whole YAML in which every named part is a :class:`Component`.

    raw: the eight sections. Problems of the parts go to ``findings``.
    """
    result = dict(raw)
    task, networks = _task_and_networks(raw)
    parts = {"Backbone": registries.backbones, "Neck": registries.necks, "Head": registries.heads}
    within = [("Architecture",), *(("Architecture", "Models", name) for name in networks)]
    places: tuple[tuple[tuple[str, ...], Registry[Any] | None], ...] = (
        *((((*section, part), registry) for section in within for part, registry in parts.items())),
        (("Loss",), registries.losses),
        (("PostProcess",), registries.postprocess),
        (("Metric",), registries.metrics),
    )
    for place, registry in places:
        _replace(result, place, partial(_named, registry=registry, findings=findings, task=task))
    listed = partial(_transforms, registry=registries.transforms, findings=findings)
    for section in ("Train", "Eval"):
        _replace(result, (section, "dataset", "transforms"), listed)
    return result


def _task_and_networks(raw: Mapping[str, Any]) -> tuple[str | None, tuple[str, ...]]:
    """``Architecture.model_type``, and the names in ``Architecture.Models`` of a distillation."""
    architecture = raw.get("Architecture")
    if not isinstance(architecture, Mapping):
        return None, ()
    models = architecture.get("Models")
    return architecture.get("model_type"), tuple(models) if isinstance(models, Mapping) else ()


def _replace(tree: dict[str, Any], place: tuple[str, ...], change: Callable[[Any, str], Any]) -> None:
    """Put ``change(value, path)`` at ``place``, copying the mappings on the way; nothing where it is absent."""
    node = tree
    for key in place[:-1]:
        if not isinstance(node.get(key), Mapping):
            return
        node[key] = dict(node[key])
        node = node[key]
    if node.get(place[-1]) is not None:
        node[place[-1]] = change(node[place[-1]], ".".join(place))


def _named(
    raw: Any, where: str, registry: Registry[Any] | None, findings: Findings, task: str | None = None
) -> Component:
    """``{name: X, option: ...}``; where two tasks use one name, ``task`` says which X is meant."""
    component = Component.parse(raw, where, findings)
    return _BROKEN if component is None else _typed(component.name, component.raw, where, registry, findings, task)


def _transforms(raw: Any, where: str, registry: Registry[Any] | None, findings: Findings) -> Any:
    """``[{X: {option: ...}}, {Y: null}, Z]``."""
    if not isinstance(raw, list):
        return raw  # the schema says what it expected
    return [_transform(item, f"{where}[{i}]", registry, findings) for i, item in enumerate(raw)]


def _transform(raw: Any, where: str, registry: Registry[Any] | None, findings: Findings) -> Component:
    if isinstance(raw, str):
        raw = {raw: None}
    if not isinstance(raw, Mapping) or len(raw) != 1:
        findings.problem(where, "expected one transform, as in '- DecodeImage: {img_mode: BGR}'")
        return _BROKEN
    [(name, options)] = raw.items()
    if options is not None and not isinstance(options, Mapping):
        findings.problem(f"{where}.{name}", f"expected keys and values, got {options!r}")
        return _BROKEN
    return _typed(str(name), options or {}, f"{where}.{name}", registry, findings)


def _typed(
    name: str,
    raw: Mapping[str, Any],
    where: str,
    registry: Registry[Any] | None,
    findings: Findings,
    task: str | None = None,
) -> Component:
    if registry is None:
        return Component(name, dict(raw), dict(raw))
    options = registry.parse(name, raw, where, findings, task)
    return _BROKEN if options is None else Component(name, options, dict(raw))
