"""The focal loss and its gradient against the formula, pixel by pixel, in float64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ocrtune.losses import focal
from ocrtune.losses.focal import Focus, masked_focal

FOCUS = Focus(alpha=0.25, gamma=2.5, eps=1e-6)


def maps(soft: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    prediction = 0.01 + 0.98 * torch.rand(2, 9, 13)
    truth = torch.rand(2, 9, 13) if soft else (torch.rand(2, 9, 13) > 0.7).float()
    return prediction, truth, (torch.rand(2, 9, 13) > 0.2).float()


def by_formula(prediction: Tensor, truth: Tensor, mask: Tensor, focus: Focus) -> Tensor:
    p = prediction.clamp(focus.eps, 1 - focus.eps)
    weight = focus.alpha * truth + (1 - focus.alpha) * (1 - truth)
    error = truth * (1 - p) + (1 - truth) * p
    entropy = -truth * p.log() - (1 - truth) * (1 - p).log()
    return (weight * error**focus.gamma * entropy * mask).sum() / (mask.sum() + focus.eps)


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("gamma", [1.0, 2.0, 2.5])
@pytest.mark.parametrize("at_once", [2**16, 7])
def test_loss_and_gradient_are_those_of_the_formula(
    soft: bool, gamma: float, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(focal, "_AT_ONCE", at_once)
    focus = FOCUS._replace(gamma=gamma)
    found, exact = [], []
    for values, results in ((maps(soft), found), ([value.double() for value in maps(soft)], exact)):
        prediction = values[0].requires_grad_()
        loss = (masked_focal if results is found else by_formula)(prediction, values[1], values[2], focus)
        results += [loss, *torch.autograd.grad(3 * loss, prediction)]
    for mine, wanted in zip(found, exact):
        torch.testing.assert_close(mine.double(), wanted, rtol=1e-5, atol=1e-7)


def test_saturated_and_masked_pixels_have_no_gradient() -> None:
    prediction, truth, mask = maps()
    prediction[0, 0, :4] = torch.tensor([0.0, 1.0, 1e-7, 1 - 1e-8])
    prediction.requires_grad_()
    masked_focal(prediction, truth, mask, FOCUS).backward()
    assert not prediction.grad[mask == 0].any()
    assert not prediction.grad[0, 0, :4].any()
    assert prediction.grad[1].any()


def test_nothing_to_learn_from_gives_zero() -> None:
    prediction, truth, mask = maps()
    assert masked_focal(prediction, truth, torch.zeros_like(mask), FOCUS) == 0
