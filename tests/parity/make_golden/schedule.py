"""Learning-rate traces of real PaddleOCR: ``python schedule.py PADDLEOCR_CHECKOUT`` (needs paddlepaddle 3.3.1).

Writes tests/parity/golden/schedule.json: the case and the learning rate of every step.
"""

import json
import sys
from pathlib import Path

OUTPUT = Path(__file__).parent.parent / "golden" / "schedule.json"

_LATE = {"learning_rate": 0.001, "warmup_epoch": 1}
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
    {"lr": {"name": "Linear", "learning_rate": 0.001, "end_lr": 1e-4, "warmup_epoch": 1}, "epochs": 5, "steps": 4},
    {"lr": {"name": "Linear", "learning_rate": 0.001, "power": 2.0}, "epochs": 3, "steps": 4},
    {"lr": {"name": "DecayLearningRate", "learning_rate": 0.001, "factor": 0.8}, "epochs": 3, "steps": 5},
    {"lr": {"name": "Step", "learning_rate": 0.001, "step_size": 2, "gamma": 0.3}, "epochs": 7, "steps": 3},
    {
        "lr": {"name": "MultiStepDecay", "learning_rate": 0.001, "milestones": [2, 3], "gamma": 0.1, "warmup_epoch": 1},
        "epochs": 6,
        "steps": 4,
    },
    {"lr": {"name": "CyclicalCosine", "cycle": 1.5, **_LATE}, "epochs": 6, "steps": 6},
    {"lr": {"name": "OneCycle", "max_lr": 0.001}, "epochs": 5, "steps": 8},
    {
        "lr": {"name": "OneCycle", "max_lr": 0.001, "anneal_strategy": "linear", "warmup_epoch": 1},
        "epochs": 5,
        "steps": 8,
    },
    {"lr": {"name": "OneCycle", "max_lr": 0.001, "three_phase": True}, "epochs": 5, "steps": 8},
    {
        "lr": {
            "name": "LinearWarmupCosine",
            "learning_rate": 0.001,
            "warmup_steps": 7,
            "start_lr": 1e-5,
            "min_lr": 1e-6,
        },
        "epochs": 5,
        "steps": 5,
    },
    {"lr": {"name": "TwoStepCosine", "learning_rate": 0.001, "warmup_epoch": 1}, "epochs": 30, "steps": 2},
    {"lr": {"name": "TwoStepCosine", "learning_rate": 0.001}, "epochs": 210, "steps": 1},
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
