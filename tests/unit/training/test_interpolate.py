"""Between base and tuned: the arithmetic, which share wins, what the run folder holds, and going on."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_runs import rec_config
from tiny_training import Scale

from ocrtune.cli.main import main
from ocrtune.config.schema import GlobalOptions
from ocrtune.config.writer import save_config
from ocrtune.core.errors import ConfigError
from ocrtune.training.checkpoint import BEST, LATEST, Progress, Score, load_checkpoint_weights, save_weights
from ocrtune.training.interpolate import BASE, TUNED, between, interpolate_best, keep_base
from ocrtune.training.result import RunResult
from ocrtune.training.run import train
from ocrtune.weights.native import read_native


def silent(line: str) -> None:
    """Nobody reads the lines of these runs."""


def test_floating_tensors_are_mixed_frozen_ones_stay_and_whole_numbers_are_the_tuned_ones() -> None:
    same = np.float32([0.1, 0.7])
    base = {"weight": np.float32([0, 4]), "frozen": same, "num_batches_tracked": np.int64(3)}
    tuned = {"weight": np.float32([1, 0]), "frozen": same.copy(), "num_batches_tracked": np.int64(9)}
    mixed = between(base, tuned, 0.3)
    np.testing.assert_allclose(mixed["weight"], [0.3, 2.8], rtol=1e-6)
    assert mixed["weight"].dtype == np.float32
    assert mixed["frozen"].tobytes() == same.tobytes()
    assert mixed["num_batches_tracked"] == 9
    assert between(base, tuned, 1.0)["weight"].tobytes() == tuned["weight"].tobytes()


class Folder:
    """A run folder whose base weight is 0 and whose tuned weight is 1; the metric is a function of the weight."""

    def __init__(self, folder: Path):
        self.folder, self.model = folder, Scale(0.0)
        self.said: list[str] = []
        keep_base(folder, self.model, None, None)
        tuned = Score({"acc": 0.75}, 20, 2)
        before = Score({"acc": 0.5}, 0, 0)
        self.progress = Progress(20, 2, before, tuned, [before, tuned])
        save_weights(folder / BEST, Scale(1.0), None, tuned)

    def interpolate(self, scores: dict[float, float]):
        def measure() -> dict[str, float]:
            return {"acc": next(score for share, score in scores.items() if self.weight() == pytest.approx(share))}

        shares, say = tuple(scores), self.said.append
        return interpolate_best(self.folder, shares, self.model, measure, "acc", self.progress, say)

    def weight(self) -> float:
        return self.model.weight.item()

    def stored(self, name: str) -> float:
        return float(read_native(self.folder / name)[0]["weight"][0])


def test_the_share_that_scores_most_is_kept_beside_the_tuned_weights(tmp_path: Path) -> None:
    run = Folder(tmp_path)
    found = run.interpolate({0.7: 0.5, 0.25: 0.625, 0.5: 0.625})
    assert (found.share, found.kept, found.score) == (0.25, True, Score({"acc": 0.625}, 20, 2))
    assert (run.stored(BEST), run.stored(TUNED), run.stored(BASE)) == (0.25, 1.0, 0.0)
    assert load_checkpoint_weights(Scale(), tmp_path / BEST) == Score({"acc": 0.625}, 20, 2)
    assert load_checkpoint_weights(Scale(), tmp_path / TUNED) == Score({"acc": 0.75}, 20, 2)


def test_it_never_scores_less_than_the_base(tmp_path: Path) -> None:
    run = Folder(tmp_path)
    found = run.interpolate({0.5: 0.25})
    assert not found.kept
    assert run.stored(BEST) == 1.0
    assert "stays the tuned weights" in run.said[-1]


def test_interpolating_again_starts_from_the_tuned_weights(tmp_path: Path) -> None:
    run = Folder(tmp_path)
    run.interpolate({0.5: 0.625})
    run.interpolate({0.25: 0.625})
    assert (run.stored(BEST), run.stored(TUNED)) == (0.25, 1.0)


def test_interpolating_again_in_vain_leaves_the_tuned_weights(tmp_path: Path) -> None:
    run = Folder(tmp_path)
    run.interpolate({0.5: 0.625})
    assert not run.interpolate({0.25: 0.375}).kept
    assert run.stored(BEST) == 1.0
    assert load_checkpoint_weights(Scale(), tmp_path / BEST) == Score({"acc": 0.75}, 20, 2)


def test_the_tuned_weights_may_win(tmp_path: Path) -> None:
    run = Folder(tmp_path)
    run.interpolate({0.5: 0.625})
    assert run.interpolate({0.5: 0.625, 1.0: 0.75}) is None
    assert run.stored(BEST) == 1.0
    assert load_checkpoint_weights(Scale(), tmp_path / BEST) == Score({"acc": 0.75}, 20, 2)
    assert "stays the tuned weights" in run.said[-1]


def test_of_equal_scores_the_nearest_to_the_base_wins(tmp_path: Path) -> None:
    assert Folder(tmp_path).interpolate({0.5: 0.75, 1.0: 0.75}).share == 0.5


def test_a_run_that_goes_on_elsewhere_brings_its_own_base(tmp_path: Path) -> None:
    ours, other = tmp_path / "ours", tmp_path / "other"
    for folder, weight in ((ours, 0.25), (other, 8.0)):
        folder.mkdir()
        keep_base(folder, Scale(weight), None, None)
    keep_base(other, Scale(3.0), None, ours)
    assert (other / BASE).read_bytes() == (ours / BASE).read_bytes()
    keep_base(ours, Scale(3.0), None, ours)
    assert read_native(ours / BASE)[0]["weight"] == 0.25


def in_vain(folder: Path) -> Folder:
    """No evaluation beat the base; the last weights are 1."""
    run = Folder(folder)
    base, last = Score({"acc": 0.5}, 0, 0), Score({"acc": 0.375}, 30, 3)
    run.progress = Progress(30, 3, base, base, [base, last])
    save_weights(folder / BEST, Scale(0.0), None, base)
    save_weights(folder / LATEST, Scale(1.0), None, last)
    return run


def test_where_the_base_was_best_it_goes_towards_the_last_weights(tmp_path: Path) -> None:
    run = in_vain(tmp_path)
    found = run.interpolate({0.25: 0.5625, 0.5: 0.625})
    assert (found.share, found.kept, found.score.step, found.tuned.metrics) == (0.5, True, 30, {"acc": 0.375})
    assert (run.stored(BEST), run.stored(TUNED)) == (0.5, 1.0)
    table = RunResult.of(tmp_path, "acc", run.progress, 1.0, {}, found).table().splitlines()
    assert table[1].split() == ["acc", "*", "0.5000", "0.3750", "-0.1250", "0.6250", "+0.1250"]
    assert table[-2:] == [
        "tuned: epoch 3, step 30, the last (none beat the base model) of 1",
        "interpolated: 0.5 x base + 0.5 x tuned; best holds these",
    ]
    assert not run.interpolate({0.75: 0.25}).kept
    assert run.stored(BEST) == 0.0
    assert load_checkpoint_weights(Scale(), tmp_path / BEST) == Score({"acc": 0.5}, 0, 0)
    assert "stays the base weights" in run.said[-1]


def test_nothing_is_interpolated_where_nothing_was_learnt(tmp_path: Path) -> None:
    run = Folder(tmp_path)
    run.progress.best = run.progress.before
    run.progress.history = [run.progress.before]
    assert run.interpolate({0.5: 1.0}) is None
    assert not (tmp_path / TUNED).exists()


def test_a_run_interpolates_and_says_so_in_table_and_result(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.set_num_threads(1)
    monkeypatch.setattr(Score, "beats", lambda self, other, indicator: True)  # so few steps improve nothing
    config = tmp_path / "config.yml"
    save_config(rec_config(tmp_path, 3, "Global.pretrained_model="), config)
    assert main(["train", "-c", str(config), "--device", "cpu", "--interpolate", "0.9", "1"]) == 0
    run = tmp_path / "run"
    said = capsys.readouterr().out
    assert "interpolated" in said
    files = {name: read_native(run / name) for name in (BASE, TUNED, BEST)}
    (base, _), (tuned, _), (best, metadata) = files.values()
    result = json.loads((run / "result.json").read_text())
    share = result["interpolated"]["share"]
    assert metadata["interpolate"] == f"{share:g}"
    assert json.loads(metadata["metrics"]) == result["interpolated"]["metrics"]
    variance = next(name for name in base if name.endswith("running_var"))
    for name in (variance, "head.fc2.weight"):
        assert np.abs(tuned[name] - base[name]).max() > 0
        np.testing.assert_allclose(best[name], (1 - share) * base[name] + share * tuned[name], rtol=1e-4, atol=1e-6)
    events = [json.loads(line) for line in (run / "train.jsonl").read_text().splitlines()]
    assert [event["share"] for event in events if event["event"] == "interpolated"] == [share]


def test_the_base_survives_a_resume_and_a_run_without_it_is_refused(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    train(rec_config(tmp_path, 1, "Global.interpolate=1", run="run"), say=silent)
    base, folder = (tmp_path / "run" / BASE).read_bytes(), tmp_path / "run"
    config = rec_config(tmp_path, 2, "Global.interpolate=[0.5, 1]", f"Global.checkpoints={folder}", run="run")
    train(config, say=silent)
    assert (folder / BASE).read_bytes() == base
    assert (folder / LATEST).read_bytes() != base
    (folder / BASE).unlink()
    with pytest.raises(ConfigError, match=r"Global.interpolate: .* has no base.safetensors"):
        train(config, say=silent)


def test_shares_outside_0_to_1_are_refused(tmp_path: Path) -> None:
    options = GlobalOptions(1, tmp_path)
    assert replace(options, interpolate=0.5).interpolation_shares == (0.5,)
    assert options.interpolation_shares == ()
    for wrong in (0.0, (0.5, 1.5)):
        with pytest.raises(ValueError, match="expected shares of the tuned weights"):
            replace(options, interpolate=wrong)


def test_the_table_has_a_column_for_it(tmp_path: Path) -> None:
    run = Folder(tmp_path)
    found = run.interpolate({0.5: 0.625})
    table = RunResult.of(tmp_path, "acc", run.progress, 1.0, {}, found).table().splitlines()
    assert table[0].split()[2:] == ["before", "tuned", "change", "interpolated", "change"]
    assert table[1].split() == ["acc", "*", "0.5000", "0.7500", "+0.2500", "0.6250", "+0.1250"]
    assert table[-1] == "interpolated: 0.5 x base + 0.5 x tuned; best holds these"
