"""How curves are taken from running commands, compared and drawn."""

import argparse
import json
import runpy
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
TRAINING = """
import sys, time
print("epoch 1: acc: 0.25")
print("loss 3")
print("epoch 2: acc: 0.5")
time.sleep(float(sys.argv[1]))
sys.exit(int(sys.argv[2]))
"""


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return runpy.run_path(str(BENCHMARKS / "time_to_accuracy.py"))


def trained(folder: Path, *lengths: tuple[float, int], seconds: float = 60, turn: float = 60) -> list[Any]:
    """Curves of commands that sleep and end, (seconds, exit code) each."""
    from peers.stamped import Command, evaluations

    return evaluations(
        [
            Command(
                [sys.executable, "-c", TRAINING, str(sleep), str(code)],
                r"epoch \d+: acc: ([0-9.]+)",
                folder / f"log{number}",
                seconds=seconds,
                folder=folder,
                environment={},
            )
            for number, (sleep, code) in enumerate(lengths)
        ],
        turn,
    )


def test_metrics_come_with_the_seconds_they_were_printed_at(script: dict[str, Any], tmp_path: Path) -> None:
    (found,) = trained(tmp_path, (0, 0))
    assert [value for _, value in found] == [0.25, 0.5]
    assert 0 < found[0][0] <= found[1][0]
    assert "loss 3" in (tmp_path / "log0").read_text()


def test_a_command_that_fails_is_an_error_and_one_out_of_time_is_not(script: dict[str, Any], tmp_path: Path) -> None:
    from peers.stamped import CommandFailed

    with pytest.raises(CommandFailed, match="ended with 3"):
        trained(tmp_path, (0, 3), (600, 0), turn=5)  # the other one is ended
    (found,) = trained(tmp_path, (600, 0), seconds=3)
    assert [value for _, value in found] == [0.25, 0.5]


def test_commands_take_turns_and_count_their_own_seconds(script: dict[str, Any], tmp_path: Path) -> None:
    from peers.stamped import Command, evaluations

    tell = "import time\nfor _ in range(40): time.sleep(0.05); print('at', time.time(), flush=True)"
    command = [sys.executable, "-c", tell]
    logs = [tmp_path / "a", tmp_path / "b"]
    curves = evaluations([Command(command, r"at (.*)", log, 60, tmp_path, {}) for log in logs], turn=0.5)
    whose = [who for _, who in sorted((at, who) for who, curve in enumerate(curves) for _, at in curve)]
    changes = sum(first != second for first, second in pairwise(whose))
    assert len(whose) == 80
    assert 4 <= changes <= 16  # turns, not side by side
    start = min(at for curve in curves for _, at in curve)
    for curve in curves:
        own, ended = curve[-1]
        assert own < 0.75 * (ended - start)  # the other's turns do not count


def test_an_interpreter_is_found_from_any_folder(
    script: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from peers.options import interpreter

    link = tmp_path / "venv" / "python"
    link.parent.mkdir()
    link.symlink_to(sys.executable)
    monkeypatch.chdir(tmp_path)
    assert interpreter("venv/python") == str(link)
    with pytest.raises(argparse.ArgumentTypeError, match="no interpreter venv/python4"):
        interpreter("venv/python4")


def test_the_target_is_the_peers_best(script: dict[str, Any]) -> None:
    theirs = [(600.0, 0.7), (1800.0, 0.8), (3500.0, 0.78)]
    found = script["verdict"](theirs, [(5.0, 0.6), (300.0, 0.79), (450.0, 0.8), (600.0, 0.9)], 60)
    assert found == {"target": 0.8, "reached": 450.0, "ratio": 8.0, "theirs_reached": 1800.0}
    assert script["verdict"](theirs, [(5.0, 0.6)], 60)["ratio"] is None


def test_the_yaml_is_paddleocrs_but_for_paths(script: dict[str, Any], tmp_path: Path) -> None:
    source = tmp_path / "theirs.yml"
    section = {"dataset": {"name": "SimpleDataSet", "transforms": [{"RecAug": None}]}, "loader": {"num_workers": 8}}
    kept = {"Optimizer": {"lr": {"values": [0.001]}}, "Global": {"epoch_num": 800}}
    source.write_text(json.dumps({**kept, "Train": section, "Eval": section}))
    files = script["Files"](tmp_path, tmp_path / "a.txt", tmp_path / "b.txt", tmp_path / "w.pdparams")
    written = yaml.safe_load(script["paddleocr_config"](source, files, tmp_path, None).read_text())
    assert written["Optimizer"] == kept["Optimizer"]
    assert written["Global"]["epoch_num"] == 800
    assert written["Global"]["pretrained_model"] == str(tmp_path / "w.pdparams")
    assert written["Train"]["dataset"]["transforms"] == [{"RecAug": None}]
    assert written["Train"]["dataset"]["label_file_list"] == [str(tmp_path / "a.txt")]
    assert written["Eval"]["dataset"]["label_file_list"] == [str(tmp_path / "b.txt")]


def test_results_are_drawn_side_by_side(script: dict[str, Any], tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    curves = {"ocrtune": [[5, 0.6], [300, 0.8]], "PaddleOCR": [[5, 0.6], [3500, 0.8]]}
    texts = {"weights": "PP-OCRv2_rec", "data": "lines", "metric": "accuracy"}
    result.write_text(json.dumps({**texts, "curves": curves, "target": 0.8}))
    assert script["main"](["--draw", str(tmp_path / "out.png"), str(result), str(result)]) == 0
    image = cv2.imread(str(tmp_path / "out.png"))
    left, right = np.split(image, 2, axis=1)
    assert (left == right).all()
    assert (left != 255).any(axis=2).mean() > 0.01
