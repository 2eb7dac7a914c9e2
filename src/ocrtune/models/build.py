"""Architecture -> network, or the networks of a distillation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from torch import nn

from ocrtune.core.charset import Charset
from ocrtune.core.errors import ConfigError, Problem
from ocrtune.core.registry import Registry
from ocrtune.models.det import DetModel
from ocrtune.models.distillation import DistillationModel
from ocrtune.models.rec import RecModel
from ocrtune.models.registry import backbones, heads, necks


class NamedOptions(Protocol):
    """A component of a config: registry name and that entry's options (``config.schema.Component``)."""

    @property
    def name(self) -> str: ...

    @property
    def options(self) -> Any: ...


class ArchitectureLike(Protocol):
    """The part of ``config.schema.Architecture`` that a network needs."""

    @property
    def model_type(self) -> str: ...

    @property
    def backbone(self) -> NamedOptions: ...

    @property
    def neck(self) -> NamedOptions | None: ...

    @property
    def head(self) -> NamedOptions: ...


class NetworkLike(ArchitectureLike, Protocol):
    """One of several networks (``config.architecture_schema.Network``)."""

    @property
    def freeze_params(self) -> bool: ...

    @property
    def return_all_feats(self) -> bool: ...


@runtime_checkable
class SeveralNetworks(Protocol):
    """The part of ``config.architecture_schema.Distillation`` that matters here."""

    @property
    def models(self) -> Mapping[str, NetworkLike]: ...


def build_model(architecture: ArchitectureLike | SeveralNetworks, charset: Charset | None) -> nn.Module:
    """The training graph with PaddleOCR's initialisation, in train mode: one network, or a DistillationModel.

    charset: needed for recognition (it fixes the number of classes), None for detection.
    Raises ConfigError when the parts do not fit together, for example a detection neck in a recogniser.
    """
    if not isinstance(architecture, SeveralNetworks):
        return _network(architecture, charset)
    empty = DistillationModel({})
    for name in architecture.models:
        if hasattr(empty, name):
            what = f"a network cannot be called '{name}'"
            raise ConfigError(Problem(f"Architecture.Models.{name}", what, "call it Student, Student2 or Teacher"))
    models = architecture.models
    return DistillationModel(
        {name: _network(network, charset) for name, network in models.items()},
        frozen=[name for name, network in models.items() if network.freeze_params],
        with_features=[name for name, network in models.items() if network.return_all_feats],
    )


def _network(architecture: ArchitectureLike, charset: Charset | None) -> nn.Module:
    if architecture.model_type == "rec" and charset is None:
        raise ConfigError(Problem("Global.character_dict_path", "missing", "recognition needs a dictionary"))
    backbone = _backbone(architecture)
    reads = _reads(architecture)
    neck, channels = _neck(architecture, reads, backbone.out_channels)
    head = heads.get(architecture.head.name).factory(architecture.head.options, channels, charset)
    if neck is not None and architecture.model_type == "det":
        return DetModel(backbone, neck, head)
    return RecModel(backbone, neck, head)


def _backbone(architecture: ArchitectureLike) -> Any:
    """The backbone, whose ``out_channels`` suit the task: a tuple for detection, a number for recognition."""
    entry = backbones.get(architecture.backbone.name, "Architecture.Backbone", architecture.model_type)
    backbone: Any = entry.factory(architecture.backbone.options)
    if isinstance(backbone.out_channels, tuple) == (architecture.model_type == "det"):
        return backbone
    gives, wanted = "one map, detection needs four", "write 'det: true' if this backbone has that key"
    if architecture.model_type == "rec":
        gives, wanted = "four maps, recognition needs one", "remove 'det: true' if it is there"
    raise ConfigError(Problem("Architecture.Backbone", f"gives {gives}", f"{wanted}, or choose another backbone"))


def _reads(architecture: ArchitectureLike) -> str:
    """What the head reads (see ``models.registry``), checked against the task."""
    factory: Any = heads.get(architecture.head.name, "Architecture.Head").factory
    task = "det" if factory.reads == "pyramid" else "rec"
    if task != architecture.model_type:
        what = f"{architecture.head.name} does not belong to model_type '{architecture.model_type}'"
        fix = f"one of {_listed(heads, 'reads', architecture.model_type)}"
        raise ConfigError(Problem("Architecture.Head", what, fix))
    return str(factory.reads)


def _neck(architecture: ArchitectureLike, reads: str, channels: Any) -> tuple[nn.Module | None, int]:
    """The neck that gives what the head reads, and its channels; no neck for a head that reads the backbone."""
    if reads == "map":
        if architecture.neck is not None:
            what = f"{architecture.head.name} has its own neck"
            raise ConfigError(Problem("Architecture.Neck", what, "remove Architecture.Neck"))
        return None, channels
    if architecture.neck is None:
        fix = f"one of {_listed(necks, 'gives', architecture.model_type)}"
        raise ConfigError(Problem("Architecture.Neck", f"missing: {architecture.head.name} reads a {reads}", fix))
    factory: Any = necks.get(architecture.neck.name, "Architecture.Neck").factory
    if factory.gives != reads:
        what = f"{architecture.neck.name} gives a {factory.gives}, {architecture.head.name} reads a {reads}"
        fix = f"one of {_listed(necks, 'gives', architecture.model_type)}"
        raise ConfigError(Problem("Architecture.Neck", what, fix))
    neck = factory(architecture.neck.options, channels)
    return neck, neck.out_channels


def _listed(registry: Registry[nn.Module], attribute: str, task: str) -> str:
    """The names in ``registry`` that suit ``task``."""
    entries = [registry.get(name) for name in registry.names()]
    suits = [e.name for e in entries if (getattr(e.factory, attribute) == "pyramid") == (task == "det")]
    return ", ".join(suits)
