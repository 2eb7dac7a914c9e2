"""Parameters after six steps against PaddleOCR's own optimisers (numbers made by make_golden/optimizer.py).

Known difference on purpose: with AdamW, Paddle still adds CTCHead's ``fc_decay`` to the head's gradient, so that the
weights decay twice; here AdamW decays by ``weight_decay`` alone. The AdamW case therefore has ``fc_decay`` 0.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from optimizer_case import CASES, STEPS, fc_decay, start, target_of_step
from torch import nn

from ocrtune.config.optimizer_schema import OptimizerOptions
from ocrtune.core.charset import Charset
from ocrtune.core.options import Findings, parse_options
from ocrtune.models.heads.ctc import CTCHead, Options
from ocrtune.training.optim import add_l1, build_optimizer, clip_gradients, set_rate
from ocrtune.training.schedule import build_schedule

pytestmark = pytest.mark.parity
GOLDEN = np.load(Path(__file__).parent / "golden" / "optimizer.npz")


class Net(nn.Module):
    def __init__(self, decay: float) -> None:
        super().__init__()
        self.body = nn.Linear(5, 4)
        self.head = CTCHead(Options(fc_decay=decay), 4, Charset(["a", "b"]))


def parameters_after(raw: dict[str, Any], decay: float) -> dict[str, np.ndarray]:
    findings = Findings()
    options = parse_options(OptimizerOptions, raw, "Optimizer", findings)
    assert options is not None, findings.problems
    net = Net(decay)
    net.load_state_dict({name: torch.from_numpy(value) for name, value in start().items()})
    optimizer, schedule = build_optimizer(net, options), build_schedule(options.lr, 1, STEPS)
    for step in range(STEPS):
        x, target = (torch.from_numpy(array) for array in target_of_step(step))
        optimizer.zero_grad()
        (net.head(net.body(x))["ctc"] - target).square().sum().backward()
        clip_gradients(net.parameters(), options)
        add_l1(optimizer)
        set_rate(optimizer, schedule(step))
        optimizer.step()
    return {name: value.detach().numpy() for name, value in net.named_parameters()}


@pytest.mark.parametrize("case", list(CASES))
def test_parameters_after_six_steps_equal_paddleocrs(case: str) -> None:
    for name, value in parameters_after(CASES[case], fc_decay(case)).items():
        np.testing.assert_allclose(value, GOLDEN[f"{case}/{name}"], rtol=2e-5, atol=2e-6, err_msg=name)
