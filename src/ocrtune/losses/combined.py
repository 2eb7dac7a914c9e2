"""Any losses added up, each with a weight.

Source: PaddleOCR ppocr/losses/combined_loss.py at 79f652f5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from ocrtune.core.options import Findings, convert, parse_fields
from ocrtune.losses.registry import losses

_OWN_NAME = "CombinedLoss"


@dataclass(frozen=True)
class Part:
    """One entry of ``loss_config_list``: the loss's registered name, its options, its weight."""

    loss: str
    options: Any
    weight: float


@dataclass(frozen=True)
class _Keys:
    loss_config_list: list[dict[str, Any]]


@dataclass(frozen=True)
class CombinedLossOptions:
    """In YAML ``loss_config_list: [{NAME: {weight: 1.0, option: ...}}, ...]``; a loss may be there more than once."""

    parts: tuple[Part, ...]

    @classmethod
    def parse(cls, raw: Any, where: str, findings: Findings) -> CombinedLossOptions | None:
        """Read each entry with the options of the loss that it names."""
        keys = parse_fields(_Keys, raw, where, findings)
        if keys is None:
            return None
        place = f"{where}.loss_config_list"
        if not keys.loss_config_list:
            findings.problem(place, "empty", "list the losses to add up")
        parts = [_part(entry, f"{place}[{i}]", findings) for i, entry in enumerate(keys.loss_config_list)]
        found = tuple(part for part in parts if part is not None)
        return cls(found) if parts and len(found) == len(parts) else None

    def networks(self) -> frozenset[str] | None:
        """The networks that the losses read; None when none of them compares networks."""
        named = [part.options.networks() for part in self.parts if hasattr(part.options, "networks")]
        return frozenset().union(*named) if named else None


def _part(entry: Mapping[str, Any], where: str, findings: Findings) -> Part | None:
    if len(entry) != 1:
        findings.problem(where, "expected one loss, as in '- CTCLoss: {weight: 1.0}'")
        return None
    [(name, raw)] = entry.items()
    path = f"{where}.{name}"
    if name == _OWN_NAME:
        findings.problem(path, "a CombinedLoss inside another", "list its losses here")
        return None
    if not isinstance(raw, Mapping) or "weight" not in raw:
        findings.problem(f"{path}.weight", "missing", "this key has no default")
        return None
    before = len(findings.problems)
    weight = convert(raw["weight"], float, f"{path}.weight", findings)
    options = losses.parse(name, {key: value for key, value in raw.items() if key != "weight"}, path, findings)
    return Part(name, options, weight) if len(findings.problems) == before else None


@losses.register(_OWN_NAME, CombinedLossOptions)
class CombinedLoss(nn.Module):
    """The weighted sum. Outputs and targets as the losses want them.

    Reported are the parts of each loss, weighted, under that loss's names for them; a number that counts something is
    not weighted. A loss without parts is reported under its own name.
    """

    def __init__(self, options: CombinedLossOptions):
        super().__init__()
        self.losses = nn.ModuleList(losses.get(part.loss).factory(part.options) for part in options.parts)
        self.names = [part.loss for part in options.parts]
        self.weights = [part.weight for part in options.parts]

    def forward(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
        terms: list[Tensor] = []
        result: dict[str, Tensor] = {}
        for position, (loss, name, weight) in enumerate(zip(self.losses, self.names, self.weights)):
            found: dict[str, Tensor] = loss(outputs, targets)
            terms.append(found.pop("loss") * weight)
            parts = {key: value * weight if value.is_floating_point() else value for key, value in found.items()}
            if not any(value.is_floating_point() for value in parts.values()):
                parts[name] = terms[-1].detach()
            result |= {key if key not in result else f"{key}_{position}": value for key, value in parts.items()}
        return {"loss": sum(terms[1:], start=terms[0]), **result}
