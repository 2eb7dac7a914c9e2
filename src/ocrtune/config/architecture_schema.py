"""The section ``Architecture``: one network, or the several networks of a distillation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ocrtune.config.component import Component, spelled
from ocrtune.core.options import Findings, parse_fields, parse_options

_MODELS = "Models"


@dataclass(frozen=True)
class Architecture:
    """``model_type`` and the three parts of a network.

    algorithm: PaddleOCR's label of the combination; kept for the model card, decides nothing here.
    neck: None where the head holds its own necks (MultiHead).
    """

    model_type: Literal["det", "rec"]
    backbone: Component = spelled("Backbone")
    head: Component = spelled("Head")
    neck: Component | None = spelled("Neck", None)
    algorithm: str | None = None
    transform: None = spelled("Transform", None)

    @classmethod
    def suits(cls, raw: Any) -> bool:
        """Whether ``raw`` describes one network."""
        return not Distillation.suits(raw)

    @classmethod
    def parse(cls, raw: Any, where: str, findings: Findings) -> Architecture | None:
        """Refuse what would change the model if it were ignored, then read key by key."""
        if isinstance(raw, Mapping) and raw.get("Transform") is not None:
            what = "no rectifying transform exists here"
            findings.problem(f"{where}.Transform", what, "leave it empty")
            return None
        return parse_fields(cls, raw, where, findings)


@dataclass(frozen=True)
class Network(Architecture):
    """One of the networks of a distillation: an Architecture that also says how it takes part.

    pretrained: its own weights, as ``Global.pretrained_model`` names them; those of ``Global.pretrained_model`` are
    loaded afterwards and win, as in PaddleOCR.
    freeze_params: it teaches and does not learn: no gradient, and always in eval mode. PaddleOCR leaves it in train
    mode, so that its BatchNorm drifts.
    return_all_feats: recognition: losses may read its ``backbone_out`` and ``neck_out``.
    """

    pretrained: str | None = None
    freeze_params: bool = False
    return_all_feats: bool = False


@dataclass(frozen=True)
class Distillation:
    """Several networks that see the same images; ``models`` by name, in the YAML's order."""

    model_type: Literal["det", "rec"]
    models: Mapping[str, Network] = spelled(_MODELS)
    algorithm: str | None = None
    name: Literal["DistillationModel"] = "DistillationModel"

    @classmethod
    def suits(cls, raw: Any) -> bool:
        """Whether ``raw`` describes several networks."""
        return isinstance(raw, Mapping) and _MODELS in raw

    @classmethod
    def parse(cls, raw: Mapping[str, Any], where: str, findings: Findings) -> Distillation | None:
        """Read the networks one by one, then the rest."""
        models, place, before = raw[_MODELS], f"{where}.{_MODELS}", len(findings.problems)
        if not isinstance(models, Mapping) or not models:
            findings.problem(place, "expected networks by name, as in 'Student: {Backbone: ...}'")
            return None
        networks = {
            str(name): parse_options(Network, _without_empty(section), f"{place}.{name}", findings)
            for name, section in models.items()
        }
        for name, network in networks.items():
            if not name.isidentifier():
                findings.problem(
                    f"{place}.{name}", "not a name for a network", "use letters and digits, as in Student2"
                )
            if network is not None and network.model_type != raw.get("model_type"):
                what = f"got {network.model_type}, but {where}.model_type is {raw.get('model_type')}"
                findings.problem(f"{place}.{name}.model_type", what)
        rest = parse_fields(cls, {**raw, _MODELS: {}}, where, findings)
        if rest is None or len(findings.problems) > before:
            return None
        return cls(rest.model_type, {name: n for name, n in networks.items() if n is not None}, rest.algorithm)


def _without_empty(section: Any) -> Any:
    """PaddleOCR's configs leave ``pretrained:`` empty, or as an empty text."""
    if isinstance(section, Mapping) and section.get("pretrained") == "":
        return {**section, "pretrained": None}
    return section
