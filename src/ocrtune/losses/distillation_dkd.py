"""Decoupled knowledge distillation: the right class, and what the teacher thinks of the others.

Source: Zhao et al., "Decoupled Knowledge Distillation" (CVPR 2022); PaddleOCR ppocr/losses/distillation_loss.py
``DistillationDKDLoss`` and basic_loss.py ``DKDLoss`` at 79f652f5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ocrtune.losses.networks import Key, Pairs, read, summed
from ocrtune.losses.nrtr import next_tokens
from ocrtune.losses.registry import losses

_TINY = 1e-10
_HIDDEN = 1000.0  # taken from the logit of the right class, so that its probability is 0


@dataclass(frozen=True)
class DistillationDKDLossOptions:
    """model_name_pairs: (student, teacher). multi_head, dis_head: only the guiding head (``gtc``) has a right class
    at each step. alpha, beta: weights of the right class and of the others. temperature: softens both predictions.
    name: for the log."""

    model_name_pairs: Pairs
    key: Key | None = None
    multi_head: bool = False
    dis_head: Literal["ctc", "gtc", "sar"] = "ctc"
    temperature: float = 1.0
    alpha: float = 1.0
    beta: float = 1.0
    name: str = "dkd"

    def __post_init__(self) -> None:
        if not self.multi_head or self.dis_head != "gtc":
            raise ValueError("needs multi_head: true and dis_head: gtc, whose labels name a class for each step")
        if self.temperature <= 0:
            raise ValueError(f"temperature is {self.temperature}, expected above 0")

    def networks(self) -> frozenset[str]:
        """The networks that this loss reads."""
        return self.model_name_pairs.networks()


@losses.register("DistillationDKDLoss", DistillationDKDLossOptions)
class DistillationDKDLoss(nn.Module):
    """Mean over all steps of the batch, those that predict padding included (as in PaddleOCR).

    outputs of both networks: ``nrtr`` (N, S, C) logits. targets: ``nrtr`` (N, L): start, text, end, padding.
    """

    def __init__(self, options: DistillationDKDLossOptions):
        super().__init__()
        self.options = options

    def forward(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
        parts = {
            f"{self.options.name}_{student}_{teacher}": self._decoupled(
                read(outputs, student, "nrtr"), read(outputs, teacher, "nrtr"), targets
            )
            for student, teacher in self.options.model_name_pairs
        }
        return summed(parts)

    def _decoupled(self, student: Tensor, teacher: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
        options = self.options
        labels = next_tokens(targets, student.shape[1]).reshape(-1)
        right = F.one_hot(labels, student.shape[2]).to(student.dtype)
        student, teacher = (logits.flatten(0, 1) / options.temperature for logits in (student, teacher))
        pair, goal = _right_and_rest(student, right), _right_and_rest(teacher, right)
        of_right = (goal * (torch.log(goal + _TINY) - torch.log(pair))).sum(dim=1).mean()
        rest, rest_goal = student - _HIDDEN * right, F.softmax(teacher - _HIDDEN * right, dim=1)
        of_rest = (rest_goal * (torch.log(rest_goal + _TINY) - F.log_softmax(rest, dim=1))).sum(dim=1).mean()
        return (options.alpha * of_right + options.beta * of_rest) * options.temperature**2


def _right_and_rest(logits: Tensor, right: Tensor) -> Tensor:
    """(M, 2): the probability of the right class, and that of all others together."""
    probability = F.softmax(logits, dim=1)
    return torch.stack([(probability * right).sum(dim=1), (probability * (1 - right)).sum(dim=1)], dim=1)
