"""Architecture -> network."""

from __future__ import annotations

from typing import Any, Protocol

from torch import nn

from ocrtune.core.charset import Charset
from ocrtune.core.errors import ConfigError, Problem
from ocrtune.models.det import DetModel
from ocrtune.models.heads.ctc import CTCHead
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


def build_model(architecture: ArchitectureLike, charset: Charset | None) -> nn.Module:
    """The training graph with PaddleOCR's initialisation, in train mode.

    charset: needed for recognition (it fixes the number of classes), None for detection.
    Raises ConfigError when the parts do not fit together, for example a detection neck in a recogniser.
    """
    if architecture.model_type == "det":
        return _build_detector(architecture)
    if charset is None:
        raise ConfigError(Problem("Global.character_dict_path", "missing", "recognition needs a dictionary"))
    return _build_recogniser(architecture, charset)


def _build_detector(architecture: ArchitectureLike) -> DetModel:
    backbone = backbones.get(architecture.backbone.name, "Architecture.Backbone").factory(architecture.backbone.options)
    channels = backbone.out_channels
    if not isinstance(channels, tuple):
        fix = "PPLCNetV4 needs 'det: true'" if architecture.backbone.name == "PPLCNetV4" else "choose another backbone"
        raise ConfigError(Problem("Architecture.Backbone", "gives one map, detection needs four", fix))
    if architecture.neck is None or architecture.neck.name == "SequenceEncoder":
        what = "missing" if architecture.neck is None else "SequenceEncoder is for recognition"
        raise ConfigError(Problem("Architecture.Neck", what, "use DBFPN or UniRepLKFPN"))
    if architecture.head.name != "DBHead":
        raise ConfigError(Problem("Architecture.Head", f"{architecture.head.name} is for recognition", "use DBHead"))
    neck = necks.get(architecture.neck.name, "Architecture.Neck").factory(architecture.neck.options, channels)
    head = heads.get(architecture.head.name, "Architecture.Head").factory(
        architecture.head.options, neck.out_channels, None
    )
    return DetModel(backbone, neck, head)


def _build_recogniser(architecture: ArchitectureLike, charset: Charset) -> RecModel:
    backbone = backbones.get(architecture.backbone.name, "Architecture.Backbone").factory(architecture.backbone.options)
    channels = backbone.out_channels
    if not isinstance(channels, int):
        fix = "remove 'det: true'" if architecture.backbone.name == "PPLCNetV4" else "choose another backbone"
        raise ConfigError(Problem("Architecture.Backbone", "gives four maps, recognition needs one", fix))
    neck = None
    if architecture.neck is not None:
        if architecture.neck.name != "SequenceEncoder":
            what = f"{architecture.neck.name} is for detection"
            raise ConfigError(Problem("Architecture.Neck", what, "use SequenceEncoder"))
        neck = necks.get(architecture.neck.name).factory(architecture.neck.options, channels)
        channels = neck.out_channels
    if architecture.head.name == "DBHead":
        raise ConfigError(Problem("Architecture.Head", "DBHead is for detection", "use CTCHead or MultiHead"))
    head = heads.get(architecture.head.name, "Architecture.Head").factory(architecture.head.options, channels, charset)
    if isinstance(head, CTCHead) == (neck is None):
        what = "CTCHead reads a sequence" if neck is None else f"{architecture.head.name} has its own neck"
        fix = "add a SequenceEncoder" if neck is None else "remove Architecture.Neck"
        raise ConfigError(Problem("Architecture.Neck", what, fix))
    return RecModel(backbone, neck, head)
