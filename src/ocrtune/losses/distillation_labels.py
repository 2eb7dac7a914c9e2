"""The usual losses against the labels, for several networks at once.

Source: PaddleOCR ppocr/losses/distillation_loss.py ``DistillationCTCLoss``, ``DistillationSARLoss``,
``DistillationNRTRLoss`` and ``DistillationDBLoss`` at 79f652f5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from ocrtune.core.errors import Problem, TrainingError
from ocrtune.core.options import Findings, divided, ignored, parse_fields, parse_options
from ocrtune.core.submodels import part_of
from ocrtune.losses.ctc import CTCLoss, CTCLossOptions
from ocrtune.losses.db import DBLoss, DBLossOptions
from ocrtune.losses.networks import Key
from ocrtune.losses.nrtr import NRTRLoss, NRTRLossOptions
from ocrtune.losses.registry import losses
from ocrtune.losses.sar import SARLoss, SARLossOptions


class LabelLoss(nn.Module):
    """``loss`` for each of ``networks`` by itself, added up. label: what the parts are called in the log.

    What a loss counts in the labels, such as texts that do not fit, is reported once.
    """

    def __init__(self, networks: tuple[str, ...], label: str, loss: nn.Module):
        super().__init__()
        self.networks = networks
        self.label = label
        self.loss = loss

    def forward(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
        terms: list[Tensor] = []
        parts: dict[str, Tensor] = {}
        for network in self.networks:
            try:
                found: dict[str, Tensor] = self.loss(part_of(outputs, network), targets)
            except KeyError as missing:
                what = f"{self.label} needs {missing}, which the network {network} or the labels do not give"
                raise TrainingError(Problem("Loss", what, "a frozen network cannot be trained on labels")) from missing
            terms.append(found.pop("loss"))
            details = {name: value for name, value in found.items() if value.is_floating_point()}
            parts |= {f"{self.label}_{network}_{name}": value for name, value in details.items()}
            if not details:
                parts[f"{self.label}_{network}"] = terms[-1].detach()
            parts |= {name: value for name, value in found.items() if name not in details}
        return {"loss": sum(terms[1:], start=terms[0]), **parts}


@dataclass(frozen=True)
class _Keys:
    """model_name_list: the networks. key, multi_head: accepted; an output's name says where it comes from."""

    model_name_list: tuple[str, ...]
    key: Key | None = None
    multi_head: bool = False

    def __post_init__(self) -> None:
        if not self.model_name_list:
            raise ValueError("model_name_list is empty")

    def networks(self) -> frozenset[str]:
        """The networks that this loss reads."""
        return frozenset(self.model_name_list)


@dataclass(frozen=True)
class DistillationCTCLossOptions(_Keys):
    """name: for the log."""

    name: str = "loss_ctc"


@losses.register("DistillationCTCLoss", DistillationCTCLossOptions)
def build_ctc(options: DistillationCTCLossOptions) -> LabelLoss:
    """:class:`~ocrtune.losses.ctc.CTCLoss` of each network."""
    return LabelLoss(options.model_name_list, options.name, CTCLoss(CTCLossOptions()))


@dataclass(frozen=True)
class DistillationSARLossOptions(_Keys):
    """name: for the log."""

    name: str = "loss_sar"
    ignore_index: int | None = ignored("the padding class follows the last class of the model")


@losses.register("DistillationSARLoss", DistillationSARLossOptions)
def build_sar(options: DistillationSARLossOptions) -> LabelLoss:
    """:class:`~ocrtune.losses.sar.SARLoss` of each network."""
    return LabelLoss(options.model_name_list, options.name, SARLoss(SARLossOptions()))


@dataclass(frozen=True)
class DistillationNRTRLossOptions(_Keys):
    """smoothing: see NRTRLoss. name: for the log."""

    smoothing: bool = True
    name: str = "loss_nrtr"


@losses.register("DistillationNRTRLoss", DistillationNRTRLossOptions)
def build_nrtr(options: DistillationNRTRLossOptions) -> LabelLoss:
    """:class:`~ocrtune.losses.nrtr.NRTRLoss` of each network.

    Without smoothing, the steps that predict padding count, as in PaddleOCR, whose loss is another one there.
    """
    padding = 0 if options.smoothing else -1
    return LabelLoss(options.model_name_list, options.name, NRTRLoss(NRTRLossOptions(options.smoothing, padding)))


@dataclass(frozen=True)
class DistillationDBLossOptions:
    """networks and name beside the keys of DBLoss, which count: PaddleOCR accepts them and uses its defaults."""

    model_name_list: tuple[str, ...]
    loss: DBLossOptions
    name: str = "db"

    @classmethod
    def parse(cls, raw: Mapping[str, Any], where: str, findings: Findings) -> DistillationDBLossOptions | None:
        """Divide the keys."""
        own, others = divided(raw, _DBKeys)
        keys = parse_fields(_DBKeys, own, where, findings)
        loss = parse_options(DBLossOptions, others, where, findings)
        return None if keys is None or loss is None else cls(keys.model_name_list, loss, keys.name)

    def networks(self) -> frozenset[str]:
        """The networks that this loss reads."""
        return frozenset(self.model_name_list)


@dataclass(frozen=True)
class _DBKeys(_Keys):
    name: str = "db"


@losses.register("DistillationDBLoss", DistillationDBLossOptions)
def build_db(options: DistillationDBLossOptions) -> LabelLoss:
    """:class:`~ocrtune.losses.db.DBLoss` of each network."""
    return LabelLoss(options.model_name_list, options.name, DBLoss(options.loss))
