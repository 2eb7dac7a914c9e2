"""CTCLoss against PyTorch's own loss and gradient over all classes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from ocrtune.losses import ctc
from ocrtune.losses.ctc import CTCLoss, CTCLossOptions

STEPS, CLASSES = 9, 40
TEXTS = [
    [5, 7, 9],
    [5, 5, 8, 5],  # neighbours alike, and a character that comes back
    [3],
    [],
    [1, 2, 3, 4, 5, 6, 7, 8, 9],  # just fits
    [4, 4, 4, 4, 4, 4],  # needs 11 steps
    [39, 1, 39, 1, 39],
]


def targets() -> dict[str, Tensor]:
    labels = torch.zeros(len(TEXTS), 12, dtype=torch.int64)
    for row, text in zip(labels, TEXTS):
        row[: len(text)] = torch.tensor(text, dtype=torch.int64)
    return {"ctc": labels, "length": torch.tensor([len(text) for text in TEXTS])}


def by_pytorch(logits: Tensor, focal: bool) -> Tensor:
    wanted = targets()
    log_probabilities = F.log_softmax(logits, dim=2).transpose(0, 1)
    steps = torch.full((len(TEXTS),), STEPS)
    loss = F.ctc_loss(log_probabilities, wanted["ctc"], steps, wanted["length"], reduction="none", zero_infinity=True)
    return (loss * (1 - torch.exp(-loss)).square() if focal else loss).mean()


def gradient(logits: Tensor, loss: Tensor) -> Tensor:
    (found,) = torch.autograd.grad(3 * loss, logits)
    return found.double()


@pytest.mark.parametrize("focal", [False, True])
@pytest.mark.parametrize("scale", [0.1, 1.0, 30.0])
def test_loss_and_gradient_are_as_exact_as_those_over_all_classes(scale: float, focal: bool) -> None:
    torch.manual_seed(1)
    errors: list[tuple[float, float]] = []
    for _ in range(8):
        logits = (scale * torch.randn(len(TEXTS), STEPS, CLASSES)).requires_grad_()
        exact_logits = logits.detach().double().requires_grad_()
        found = CTCLoss(CTCLossOptions(use_focal_loss=focal))({"ctc": logits}, targets())
        exact_loss = by_pytorch(exact_logits, focal)
        torch.testing.assert_close(found["loss"].double(), exact_loss, rtol=1e-6, atol=1e-6)
        exact = gradient(exact_logits, exact_loss)
        ours = gradient(logits, found["loss"])
        theirs = gradient(logits, by_pytorch(logits, focal))
        errors.append((float((ours - exact).abs().max()), float((theirs - exact).abs().max())))
        assert exact.abs().max() > 0.01
        assert found["infeasible"] == 1
        assert not ours[5].any()
    largest_of_ours, largest_of_theirs = map(max, zip(*errors))
    assert largest_of_ours <= 1.5 * largest_of_theirs


def test_the_gradient_does_not_depend_on_how_many_samples_fit_into_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(1)
    logits = torch.randn(len(TEXTS), STEPS, CLASSES).requires_grad_()
    found = []
    for at_once in (2**20, 1, 2 * STEPS * CLASSES):
        monkeypatch.setattr(ctc, "_AT_ONCE", at_once)
        found.append(gradient(logits, CTCLoss(CTCLossOptions())({"ctc": logits}, targets())["loss"]))
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


def test_half_precision_is_computed_in_single() -> None:
    logits = torch.randn(len(TEXTS), STEPS, CLASSES).bfloat16().requires_grad_()
    loss = CTCLoss(CTCLossOptions())({"ctc": logits}, targets())["loss"]
    loss.backward()
    assert loss.dtype == torch.float32
    assert logits.grad is not None
    assert logits.grad.dtype == torch.bfloat16
    torch.testing.assert_close(loss, by_pytorch(logits.detach().float(), False))


def test_the_loss_alone_needs_no_gradient() -> None:
    logits = torch.randn(len(TEXTS), STEPS, CLASSES)
    with torch.inference_mode():
        loss = CTCLoss(CTCLossOptions())({"ctc": logits}, targets())["loss"]
    torch.testing.assert_close(loss, by_pytorch(logits, False))
