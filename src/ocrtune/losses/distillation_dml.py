"""Deep mutual learning: two networks that learn to predict alike.

Source: Zhang et al., "Deep Mutual Learning" (CVPR 2018); PaddleOCR ppocr/losses/distillation_loss.py
``DistillationDMLLoss`` and basic_loss.py ``DMLLoss`` at 79f652f5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ocrtune.core.options import Findings, parse_fields
from ocrtune.losses.divergence import symmetric_per_sample, symmetric_per_value
from ocrtune.losses.networks import MAPS, HeadName, Key, MapName, Pairs, output_name, read, summed
from ocrtune.losses.registry import losses

_ABOVE_ZERO = 1e-10


@dataclass(frozen=True)
class DistillationDMLLossOptions:
    """model_name_pairs: who learns from whom, in both directions.

    maps_name: detection: which maps are compared (``thrink_maps`` is the shrink map). Otherwise recognition:
    multi_head, dis_head: which head of a MultiHead; key: ``head_out``, or a feature.
    act: what makes probabilities of the outputs; none where they are probabilities already, as maps are.
    use_log: sum over the steps and classes (recognition), instead of the mean over the pixels. name: for the log.
    """

    model_name_pairs: Pairs
    act: Literal["softmax", "sigmoid"] | None = None
    use_log: bool = False
    key: Key | None = None
    multi_head: bool = False
    dis_head: HeadName = "ctc"
    maps_name: tuple[MapName, ...] = ()
    name: str = "dml"

    @classmethod
    def parse(cls, raw: Any, where: str, findings: Findings) -> DistillationDMLLossOptions | None:
        """Accept one map where a list is expected."""
        if isinstance(raw, Mapping) and (isinstance(raw.get("maps_name"), str) or raw.get("maps_name", ()) is None):
            raw = {**raw, "maps_name": [raw["maps_name"]] if raw["maps_name"] else []}
        return parse_fields(cls, raw, where, findings)

    def __post_init__(self) -> None:
        if self.key == "maps" and not self.maps_name:
            raise ValueError("key: maps needs maps_name, one of " + ", ".join(MAPS))
        if self.maps_name and self.key not in ("maps", None):
            raise ValueError(f"maps_name goes with key: maps, not with key: {self.key}")

    def networks(self) -> frozenset[str]:
        """The networks that this loss reads."""
        return self.model_name_pairs.networks()


@losses.register("DistillationDMLLoss", DistillationDMLLossOptions)
class DistillationDMLLoss(nn.Module):
    """The symmetric Kullback-Leibler divergence of each pair; see ``losses.divergence`` for its two means.

    outputs of each network: maps (N, 1, H, W) in 0..1, or logits (N, T, C).
    """

    def __init__(self, options: DistillationDMLLossOptions):
        super().__init__()
        self.options = options

    def forward(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
        options = self.options
        head = output_name(options.key, options.multi_head, options.dis_head)
        compared = {f"{options.name}_{name}": MAPS[name] for name in options.maps_name} or {options.name: head}
        parts: dict[str, Tensor] = {}
        for first, second in options.model_name_pairs:
            for label, name in compared.items():
                both = (self._probability(read(outputs, network, name)) for network in (first, second))
                parts[f"{label}_{first}_{second}"] = self._distance(*both)
        return summed(parts)

    def _probability(self, output: Tensor) -> Tensor:
        if self.options.act is None:
            return output
        return (F.softmax(output, dim=-1) if self.options.act == "softmax" else torch.sigmoid(output)) + _ABOVE_ZERO

    def _distance(self, first: Tensor, second: Tensor) -> Tensor:
        return symmetric_per_sample(first, second) if self.options.use_log else symmetric_per_value(first, second)
