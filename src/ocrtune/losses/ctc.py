"""Connectionist temporal classification.

Source: Graves et al. (ICML 2006); PaddleOCR ppocr/losses/rec_ctc_loss.py at 79f652f5.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ocrtune.losses.registry import losses

_AT_ONCE = 2**20  # numbers


@dataclass(frozen=True)
class CTCLossOptions:
    """use_focal_loss: weigh each sample by (1 - exp(-loss))^2, so that read lines count less."""

    use_focal_loss: bool = False


@losses.register("CTCLoss", CTCLossOptions)
class CTCLoss(nn.Module):
    """Mean over the samples of -log p(text), blank 0.

    outputs: ``ctc`` (N, T, C) logits. targets: ``ctc`` (N, L) class numbers, ``length`` (N,).
    A text that T steps cannot spell (its length plus a blank between equal neighbours exceeds T) has loss 0 and no
    gradient, as with PaddleOCR's warp-ctc; ``infeasible`` counts such samples of the batch.
    """

    def __init__(self, options: CTCLossOptions):
        super().__init__()
        self.options = options

    def forward(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
        logits, labels, lengths = outputs["ctc"], targets["ctc"], targets["length"]
        feasible = steps_needed(labels, lengths) <= logits.shape[1]
        loss = _losses(logits, labels, lengths, feasible)
        if self.options.use_focal_loss:
            loss = loss * (1 - torch.exp(-loss)).square()
        return {"loss": loss.mean(), "infeasible": (~feasible).sum()}


def steps_needed(labels: Tensor, lengths: Tensor) -> Tensor:
    """(N,) shortest number of time steps that spells each row of ``labels`` (N, L) of the given ``lengths``."""
    if labels.shape[1] < 2:
        return lengths
    inside = torch.arange(1, labels.shape[1], device=labels.device) < lengths.unsqueeze(1)
    repeats = ((labels[:, 1:] == labels[:, :-1]) & inside).sum(dim=1)
    return lengths + repeats


class _CTC(torch.autograd.Function):
    """-log p(text) of each sample, (N,), from logits (N, T, C); PyTorch's CTC sees the text's own characters only.

    A sample's loss depends on its own characters' probabilities; those of the other thousands of classes get the
    gradient of the softmax, p, and nothing else. PyTorch writes tensors of all classes for both, several times; here
    the gradient alone is as large, in the type of the logits. Computed in float32.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor, lengths: Tensor, feasible: Tensor) -> Tensor:
        samples, steps, _ = logits.shape
        alphabet = F.pad(labels, (1, 0))  # blank, then the text as it is, (N, 1 + L)
        index = alphabet.unsqueeze(1).expand(-1, steps, -1)
        most, spread = _softmax_parts(logits)
        own = logits.gather(2, index).float() - most - spread
        own = own.transpose(0, 1).contiguous()  # (T, N, 1 + L)
        same = labels.unsqueeze(2) == labels.unsqueeze(1)
        text = same.to(torch.uint8).argmax(2) + 1  # the place in the alphabet where each character is first
        with torch.set_grad_enabled(ctx.needs_input_grad[0]):
            own.requires_grad_(ctx.needs_input_grad[0])
            input_lengths = torch.full((samples,), steps, dtype=torch.int64)
            losses = F.ctc_loss(own, text, input_lengths, lengths, reduction="none", zero_infinity=True)
        ctx.save_for_backward(logits, most, spread, index, feasible)
        ctx.inner = own, losses
        return losses.detach()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        logits, most, spread, index, feasible = ctx.saved_tensors
        own, losses = ctx.inner
        gradient = gradient * feasible
        (found,) = torch.autograd.grad(losses, own, gradient)
        # PyTorch's gradient takes a softmax in front for granted: it is p minus what the text draws to itself
        drawn = (found - own.detach().exp() * gradient.unsqueeze(1)).transpose(0, 1)
        of_logits = torch.empty_like(logits)
        for part in _parts(logits):
            values = (logits[part].float() - most[part]).sub_(spread[part]).exp_().mul_(gradient[part, None, None])
            of_logits[part] = values.scatter_add_(2, index[part], drawn[part])
        return of_logits, None, None, None


def _softmax_parts(logits: Tensor) -> tuple[Tensor, Tensor]:
    """(N, T, C) -> two of (N, T, 1), float32: the largest, and the logarithm of the sum of exp(logit - largest)."""
    most = logits.amax(2, keepdim=True).float()
    spread = torch.cat([(logits[part].float() - most[part]).exp_().sum(2, keepdim=True) for part in _parts(logits)])
    return most, spread.log_()


def _parts(logits: Tensor) -> list[slice]:
    """The samples of ``logits`` (N, T, C) in runs; on a CPU as short as its caches want them."""
    samples, steps, classes = logits.shape
    step = max(1, _AT_ONCE // (steps * classes)) if logits.device.type == "cpu" else samples
    return [slice(start, start + step) for start in range(0, samples, step)]


_losses: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor] = _CTC.apply
