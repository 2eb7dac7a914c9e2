"""TensorBoard gets the numbers that train.jsonl gets."""

import json
import sys
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tiny_runs import rec_config

from ocrtune.core.errors import ConfigError
from ocrtune.training.run import train
from ocrtune.training.tensorboard import FOLDER, TensorBoard


def silent(line: str) -> None:
    """Nobody reads the lines of these runs."""


def curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Tag -> (step, value) of every point that TensorBoard shows."""
    found = EventAccumulator(str(folder / FOLDER)).Reload()
    return {tag: [(point.step, point.value) for point in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


def test_a_run_writes_the_numbers_of_its_journal(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    train(rec_config(tmp_path, 2, "Global.use_tensorboard=true"), say=silent)
    lines = (tmp_path / "run" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    events = [json.loads(line) for line in lines]
    steps = [event for event in events if event["event"] == "step"]
    evaluations = [event for event in events if event["event"] == "eval"]
    found = curves(tmp_path / "run")
    for name in ("loss", "lr", "samples_per_s", "waiting", "forward"):
        assert found[f"train/{name}"] == [(event["step"], pytest.approx(event[name])) for event in steps]
    for name in ("cer", "norm_edit_distance"):
        expected = [(event["step"], pytest.approx(event["metrics"][name])) for event in evaluations]
        assert found[f"eval/{name}"] == expected
    assert not any("epoch" in tag or tag.endswith(("/step", "/best", "/reason")) for tag in found)


def test_what_a_resumed_run_repeats_is_hidden(tmp_path: Path) -> None:
    with TensorBoard(tmp_path, 1) as killed:
        for step in (2, 4, 6):
            killed.write("step", {"step": step, "loss": 9.0})
    with TensorBoard(tmp_path, 5) as resumed:
        resumed.write("step", {"step": 6, "loss": 1.0})
        resumed.write("interpolated", {"share": 0.5, "metrics": {"acc": 1.0}})
        resumed.write("skipped", {"step": 7, "reason": "the loss is not a number", "samples": ["x"]})
    assert curves(tmp_path) == {"train/loss": [(2, 9.0), (4, 9.0), (6, 1.0)]}


def test_without_the_package_the_run_does_not_even_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ConfigError, match=r"pip install 'ocrtune\[tensorboard\]'"):
        train(rec_config(tmp_path, 1, "Global.use_tensorboard=true"), say=silent)
    assert not (tmp_path / "run").exists()
