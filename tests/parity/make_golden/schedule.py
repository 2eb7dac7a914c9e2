"""Learning-rate traces of real PaddleOCR: ``python schedule.py PADDLEOCR_CHECKOUT`` (needs paddlepaddle 3.3.1).

Writes tests/parity/golden/schedule.json: the case and the learning rate of every step.
"""

import json
import sys
from pathlib import Path

OUTPUT = Path(__file__).parent.parent / "golden" / "schedule.json"

CASES = [
    {"lr": {"name": "Cosine", "learning_rate": 0.001, "warmup_epoch": 2}, "epochs": 12, "steps": 5},
    {"lr": {"name": "Cosine", "learning_rate": 0.0005, "warmup_epoch": 0.5}, "epochs": 6, "steps": 7},
    {"lr": {"name": "Cosine", "learning_rate": 0.001}, "epochs": 4, "steps": 9},
    {
        "lr": {"name": "Piecewise", "decay_epochs": [7], "values": [0.001, 0.0001], "warmup_epoch": 5},
        "epochs": 16,
        "steps": 3,
    },
    {"lr": {"name": "Piecewise", "decay_epochs": [2, 4], "values": [1e-3, 1e-4, 1e-5]}, "epochs": 6, "steps": 4},
    {"lr": {"name": "Const", "learning_rate": 0.0005, "warmup_epoch": 1}, "epochs": 3, "steps": 6},
    {"lr": {"name": "Const", "learning_rate": 0.0002}, "epochs": 2, "steps": 3},
]


def trace(case: dict) -> list[float]:
    """The rate before each optimiser step, the scheduler being stepped after each, as tools/program.py does."""
    from ppocr.optimizer import build_lr_scheduler

    rate = build_lr_scheduler(dict(case["lr"]), case["epochs"], case["steps"])
    found = []
    for _ in range(case["epochs"] * case["steps"]):
        found.append(rate() if callable(rate) else float(rate))
        if callable(rate):
            rate.step()
    return found


def main() -> None:
    sys.path.insert(0, sys.argv[1])
    OUTPUT.write_text(json.dumps([{**case, "trace": trace(case)} for case in CASES]) + "\n")


if __name__ == "__main__":
    main()
