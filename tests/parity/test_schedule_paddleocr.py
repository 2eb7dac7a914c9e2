"""Learning-rate traces of whole runs against real PaddleOCR (numbers made by make_golden/schedule.py)."""

import json
from pathlib import Path
from typing import Any

import pytest

from ocrtune.config.optimizer_schema import LearningRate
from ocrtune.core.options import Findings, parse_options
from ocrtune.training.schedule import build_schedule

pytestmark = pytest.mark.parity
CASES = json.loads((Path(__file__).parent / "golden" / "schedule.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['lr']['name']}-{case['epochs']}x{case['steps']}")
def test_every_step_has_paddleocrs_rate(case: dict[str, Any]) -> None:
    findings = Findings()
    options = parse_options(LearningRate, case["lr"], "Optimizer.lr", findings)
    assert options is not None, findings.problems
    schedule = build_schedule(options, case["epochs"], case["steps"])
    found = [schedule(step) for step in range(case["epochs"] * case["steps"])]
    assert found == pytest.approx(case["trace"], rel=1e-9, abs=1e-12)  # Paddle multiplies step by step


def test_the_golden_file_holds_the_habits_worth_knowing() -> None:
    warm_cosine = next(case for case in CASES if case["lr"].get("warmup_epoch") == 2)
    assert warm_cosine["trace"][0] == 0
    assert warm_cosine["trace"][-1] > 1e-5
    late = next(case for case in CASES if case["lr"].get("warmup_epoch") == 5)
    boundary = next(i for i, rate in enumerate(late["trace"]) if rate == 0.0001)
    assert boundary == (7 + 5) * late["steps"]
