"""Several losses on the outputs of one recognition model with several heads.

Source: PaddleOCR ppocr/losses/rec_multi_loss.py at 79f652f5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from ocrtune.core.options import Findings, parse_fields
from ocrtune.losses.registry import losses

_PARTS = ("CTCLoss", "NRTRLoss", "SARLoss")


@dataclass(frozen=True)
class _Keys:
    loss_config_list: list[dict[str, Any]]
    weight_1: float = 1.0
    weight_2: float = 1.0


@dataclass(frozen=True)
class MultiLossOptions:
    """parts: (registered name, its options) in the order of ``loss_config_list``.

    weight_1 is the weight of CTCLoss, weight_2 that of the guiding head's loss.
    """

    parts: tuple[tuple[str, Any], ...]
    weight_1: float = 1.0
    weight_2: float = 1.0

    @classmethod
    def parse(cls, raw: Any, where: str, findings: Findings) -> MultiLossOptions | None:
        """From ``{loss_config_list: [{CTCLoss: options}, ...], weight_1, weight_2}``."""
        keys = parse_fields(_Keys, raw, where, findings)
        if keys is None:
            return None
        before = len(findings.problems)
        parts: dict[str, Any] = {}
        for i, entry in enumerate(keys.loss_config_list):
            for name, options in entry.items():
                path = f"{where}.loss_config_list[{i}].{name}"
                if name not in _PARTS:
                    findings.problem(path, "not a part of MultiLoss", f"known: {', '.join(_PARTS)}")
                elif name in parts:
                    findings.problem(path, "listed twice")
                else:
                    parts[name] = losses.parse(name, options, path, findings)
        if not keys.loss_config_list:
            findings.problem(f"{where}.loss_config_list", "empty", f"known: {', '.join(_PARTS)}")
        if len(findings.problems) > before:
            return None
        return cls(tuple(parts.items()), keys.weight_1, keys.weight_2)


@losses.register("MultiLoss", MultiLossOptions)
class MultiLoss(nn.Module):
    """The weighted sum; each part is reported under its name. Outputs and targets as the parts want them."""

    def __init__(self, options: MultiLossOptions):
        super().__init__()
        self.parts = nn.ModuleDict({name: losses.get(name).factory(part) for name, part in options.parts})
        self.weights = dict.fromkeys(_PARTS, options.weight_2) | {"CTCLoss": options.weight_1}

    def forward(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
        result: dict[str, Tensor] = {}
        terms: list[Tensor] = []
        for name, part in self.parts.items():
            found = part(outputs, targets)
            terms.append(found.pop("loss") * self.weights[name])
            result.update(found)
            result[name] = terms[-1].detach()
        return {"loss": sum(terms[1:], start=terms[0]), **result}
