"""The benchmark scripts run in their smallest form; nothing here is timed."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture
def peers(monkeypatch: pytest.MonkeyPatch) -> None:
    """``import peers`` finds the helpers of the benchmarks."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def run(script: str, *arguments: str) -> str:
    command = [sys.executable, str(BENCHMARKS / script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_training_step_is_measured_in_a_worker(tmp_path: Path) -> None:
    output = run("bench_train.py", "--smoke", "--rounds", "2", "--warm-up", "0", "--json", str(tmp_path / "all.json"))
    assert "skipped" not in output
    cases = json.loads((tmp_path / "all.json").read_text())["cases"]
    assert set(cases) == {"det-smoke", "rec-smoke"}
    for found in cases.values():
        first, second = found["answers"]["ocrtune"]
        assert min(first["loss"], second["loss"]) > 0
        assert first["seconds"] > 0


def test_samples_are_counted_in_a_worker() -> None:
    output = run("bench_data.py", "--smoke", "--rounds", "1", "--warm-up", "0")
    assert "det-smoke: 2 samples a pass" in output
    assert "rec-smoke: 4 samples a pass" in output


def test_the_gpu_script_runs_on_a_cpu(peers: None, capsys: pytest.CaptureFixture[str]) -> None:
    main = runpy.run_path(str(BENCHMARKS / "gpu_training.py"))["main"]
    assert main(["--device", "cpu", "--smallest"]) == 0
    output = capsys.readouterr().out
    assert "none, as it is" in output
    assert "disk, 0 workers" in output


def test_a_batch_in_pieces_is_not_measured(peers: None) -> None:
    measure = runpy.run_path(str(BENCHMARKS / "gpu_training.py"))["images_per_second"]

    class Halved:
        device = torch.device("cpu")
        pieces = 1

        def step(self, batches: object) -> None:
            self.pieces = 2

    with pytest.raises(torch.OutOfMemoryError, match="2 pieces"):
        measure(Halved(), iter([[0]] * 5), 2)


def test_the_configs_are_those_of_the_checkout_where_none_are_kept(peers: None, tmp_path: Path) -> None:
    from peers.cases import paddleocr_configs

    assert paddleocr_configs(tmp_path, tmp_path / "PaddleOCR") == tmp_path / "PaddleOCR" / "configs"
    (tmp_path / "paddleocr-configs").mkdir()
    assert paddleocr_configs(tmp_path, tmp_path / "PaddleOCR") == tmp_path / "paddleocr-configs"


def test_an_unknown_case_is_named(peers: None) -> None:
    chosen = runpy.run_path(str(BENCHMARKS / "bench_train.py"))["chosen"]
    with pytest.raises(SystemExit, match="det-v3"):
        chosen("det-v2-640,det-v3", False)


def test_the_ratio_is_that_of_the_rounds(peers: None) -> None:
    from peers.workers import ratio

    assert ratio([2.0, 40.0, 6.0], [1.0, 10.0, 2.0]) == 3.0  # a slow round slows both


def test_a_turn_has_as_many_steps_as_its_seconds_hold(peers: None) -> None:
    from peers.protocol import take_turn

    steps = iter([3.0, 1.0, 2.0, 9.0])
    assert take_turn(lambda: {"seconds": next(steps), "loss": 1}, 5) == {"seconds": 2.0, "loss": 1, "steps": 3}
    assert take_turn(lambda: {"seconds": next(steps), "loss": 1}, 0) == {"seconds": 9.0, "loss": 1, "steps": 1}


def test_made_up_texts_are_like_those_on_photographs(peers: None) -> None:
    from peers.inputs import detection_targets

    maps = detection_targets((2, 3, 640, 640))
    assert 0.15 < maps["threshold_mask"].mean() < 0.3  # texts may overlap
    inside = maps["shrink_map"] == 1
    assert (maps["threshold_mask"][inside] == 1).all()
    assert 0 < inside.mean() < maps["threshold_mask"].mean()
    assert np.unique(maps["threshold_map"][maps["threshold_mask"] == 0]).tolist() == [np.float32(0.3)]


def test_made_up_labels_end_where_their_length_says(peers: None) -> None:
    from peers.inputs import recognition_targets

    found = recognition_targets(50, classes=12)
    for ids, guide, length in zip(found["ctc"], found["nrtr"], found["length"]):
        assert 5 <= length <= 25
        assert ids[:length].min() >= 1
        assert ids[:length].max() < 12
        assert not ids[length:].any()
        assert guide[0] == 2
        assert guide[length + 1] == 3
        assert (guide[1 : length + 1] == ids[:length] + 3).all()


def test_arithmetic_is_counted_group_by_group(peers: None) -> None:
    from peers.bound import Counter

    image = torch.randn(2, 8, 5, 7, requires_grad=True)
    depthwise = torch.nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)
    linear = torch.nn.Linear(4, 6, bias=False)
    with Counter() as counter:
        depthwise(image).sum().backward()
    assert counter.flop == 3 * 2 * image.numel() * 9  # the result, and the gradients of image and weight
    assert counter.bytes > 0
    with Counter() as counter, torch.no_grad():
        linear(torch.ones(3, 4))
    assert counter.flop == 2 * 3 * 4 * 6
