"""A student that learns a teacher's probabilities.

Source: PaddleOCR ppocr/losses/distillation_loss.py ``DistillationKLDivLoss`` and basic_loss.py ``KLDivLoss`` at
79f652f5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from ocrtune.losses.divergence import divergence_per_sample, divergence_per_step
from ocrtune.losses.networks import HeadName, Key, Pairs, output_name, read, summed
from ocrtune.losses.nrtr import next_tokens
from ocrtune.losses.registry import losses


@dataclass(frozen=True)
class DistillationKLDivLossOptions:
    """model_name_pairs: (student, teacher). multi_head: the heads of a MultiHead, of which ``dis_head`` must be
    ``gtc``, as in PaddleOCR, where another one has no mask of the right size. name: for the log."""

    model_name_pairs: Pairs
    key: Key | None = None
    multi_head: bool = False
    dis_head: HeadName = "ctc"
    name: str = "kl_div"

    def __post_init__(self) -> None:
        if self.multi_head and self.dis_head != "gtc":
            raise ValueError("with multi_head: true only dis_head: gtc has labels that say which steps count")

    def networks(self) -> frozenset[str]:
        """The networks that this loss reads."""
        return self.model_name_pairs.networks()


@losses.register("DistillationKLDivLoss", DistillationKLDivLossOptions)
class DistillationKLDivLoss(nn.Module):
    """Kullback-Leibler divergence of the teacher's softmax from the student's, from logits (N, T, C).

    For ``gtc``: mean over the steps that predict a character or the end; targets: ``nrtr`` (N, L).
    Otherwise: summed over the steps, mean over the batch.
    """

    def __init__(self, options: DistillationKLDivLossOptions):
        super().__init__()
        self.options = options

    def forward(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
        options = self.options
        name = output_name(options.key, options.multi_head, options.dis_head)
        parts: dict[str, Tensor] = {}
        for student, teacher in options.model_name_pairs:
            logits, goal = read(outputs, student, name), read(outputs, teacher, name)
            if options.multi_head:
                value = divergence_per_step(logits, goal, next_tokens(targets, logits.shape[1]) != 0)
            else:
                value = divergence_per_sample(logits, goal)
            parts[f"{options.name}_{student}_{teacher}"] = value
        return summed(parts)
