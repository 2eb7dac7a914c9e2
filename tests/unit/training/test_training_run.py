"""Whole runs on tiny drawn sets: what they write, that they repeat, go on, stop cleanly and refuse to overwrite."""

import json
import multiprocessing
import os
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_runs import det_config, rec_config

from ocrtune.core.errors import ConfigError, TrainingError, WeightsError
from ocrtune.data.dataset import Draw, TrainingDataset
from ocrtune.models.fold import fold_
from ocrtune.training.checkpoint import BEST, LATEST, STATE, load_state, save_weights
from ocrtune.training.run import assemble, evaluate_config, train
from ocrtune.training.run_folder import load_run
from ocrtune.training.step import Trainer
from ocrtune.weights.native import read_native


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


AVERAGED = ("Global.use_ema=true", "Global.ema_decay=0.9")


def silent(line: str) -> None:
    """Nobody reads the lines of these runs."""


def events(folder: Path, kind: str) -> list[dict]:
    lines = (folder / "train.jsonl").read_text(encoding="utf-8").splitlines()
    return [event for event in map(json.loads, lines) if event["event"] == kind]


def weights(path: Path) -> dict[str, np.ndarray]:
    return read_native(path)[0]


def test_a_recognition_run_writes_everything_and_its_folder_rebuilds_the_model(tmp_path: Path) -> None:
    said: list[str] = []
    config = rec_config(tmp_path, 3)
    result = train(config, say=said.append)
    folder = tmp_path / "run"
    expected = {BEST, LATEST, STATE, "config.yml", "dictionary.txt", "train.jsonl", "result.json"}
    assert {path.name for path in folder.iterdir()} == expected
    assert [event["step"] for event in events(folder, "step")] == [2, 4, 6, 8, 10, 12, 14, 15]
    assert [event["step"] for event in events(folder, "eval")] == [0, 5, 10, 15]
    losses = [event["loss"] for event in events(folder, "step")]
    assert losses[-1] < losses[0]
    assert all(event["lr"] >= 0 and event["samples_per_s"] > 0 for event in events(folder, "step"))
    assert any("total batch 8" in line for line in said)
    assert any("before" in line and "after" in line for line in said)
    run = load_run(folder)
    assert run.charset is not None
    assert run.charset.characters == tuple("0123")
    assert run.score is not None
    assert run.score.metrics == result.after.metrics
    assert evaluate_config(run.config, say=silent) != {}
    stored = json.loads((folder / "result.json").read_text())
    assert stored["after"]["metrics"] == result.after.metrics
    assert stored["before"]["step"] == 0


def test_a_detection_run_with_a_moving_average_evaluates_and_keeps_the_average(tmp_path: Path) -> None:
    config = det_config(tmp_path, 1, "Global.use_ema=true", "Global.ema_decay=0.9")
    train(config, say=silent)
    folder = tmp_path / "run"
    raw = torch.load(folder / STATE, weights_only=True)["model"]
    kept = weights(folder / LATEST)
    assert set(raw) == set(kept)
    name = "head.binarize.conv1.weight"
    assert np.abs(raw[name].numpy() - kept[name]).max() > 1e-5
    assert "loss_shrink_maps" in events(folder, "step")[0]


def test_the_same_seed_gives_the_same_run_and_another_seed_another(tmp_path: Path) -> None:
    for run, seed in (("a", 5), ("b", 5), ("c", 6)):
        train(rec_config(tmp_path, 1, f"Global.seed={seed}", run=run), say=silent)
    a, b, c = (weights(tmp_path / run / LATEST) for run in "abc")
    assert all(np.array_equal(a[name], b[name]) for name in a)
    assert any(not np.array_equal(a[name], c[name]) for name in a)


def test_the_number_of_workers_does_not_change_the_run(tmp_path: Path) -> None:
    train(rec_config(tmp_path, 1, run="a"), say=silent)
    train(rec_config(tmp_path, 1, "Train.loader.num_workers=1", run="b"), say=silent)
    a, b = weights(tmp_path / "a" / LATEST), weights(tmp_path / "b" / LATEST)
    assert all(np.array_equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("stop", [7, 10, 12])
def test_ctrl_c_saves_and_the_run_goes_on_to_the_weights_of_the_uninterrupted_run(
    stop: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three epochs of five steps; the signal comes before step number ``stop``, the run stops after it."""
    train(rec_config(tmp_path, 3, *AVERAGED, run="whole"), say=silent)
    steps = 0
    original = Trainer.step

    def step_and_stop(trainer: Trainer, batch: object) -> object:
        nonlocal steps
        steps += 1
        if steps == stop:
            signal.raise_signal(signal.SIGINT)
        return original(trainer, batch)

    monkeypatch.setattr(Trainer, "step", step_and_stop)
    with pytest.raises(KeyboardInterrupt):
        train(rec_config(tmp_path, 3, *AVERAGED, run="halves"), say=silent)
    assert load_state(tmp_path / "halves")["progress"]["step"] == stop
    monkeypatch.setattr(Trainer, "step", original)
    torch.manual_seed(99)
    config = rec_config(tmp_path, 3, *AVERAGED, f"Global.checkpoints={tmp_path / 'halves'}", run="halves")
    result = train(config, say=silent)
    assert [score.step for score in result.history] == [0, 5, 10, 15]
    assert result.steps == 15
    whole, halves = weights(tmp_path / "whole" / LATEST), weights(tmp_path / "halves" / LATEST)
    assert all(np.array_equal(whole[name], halves[name]) for name in whole)


def test_a_run_that_goes_on_in_another_folder_brings_its_best_weights(tmp_path: Path) -> None:
    train(rec_config(tmp_path, 1, run="a"), say=silent)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / BEST).write_bytes(b"of a run that was killed here before its first checkpoint")
    assemble(rec_config(tmp_path, 2, f"Global.checkpoints={tmp_path / 'a'}", run="b"), say=silent)
    assert (tmp_path / "b" / BEST).read_bytes() == (tmp_path / "a" / BEST).read_bytes()


def test_what_a_second_signal_interrupts_is_not_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten steps; in the middle of the seventh the user has pressed Ctrl-C again."""
    original = Trainer.step
    monkeypatch.setattr("ocrtune.training.interrupt._ONE_WISH_S", 0.0)

    def half_a_step(trainer: Trainer, batch: object) -> object:
        if trainer.progress.step == 7:
            signal.raise_signal(signal.SIGINT)
            with torch.no_grad():
                next(trainer.model.parameters()).fill_(float("nan"))
            signal.raise_signal(signal.SIGINT)
        return original(trainer, batch)

    monkeypatch.setattr(Trainer, "step", half_a_step)
    with pytest.raises(KeyboardInterrupt):
        train(rec_config(tmp_path, 2), say=silent)
    state = load_state(tmp_path / "run")
    assert state["progress"]["step"] == 5
    assert all(bool(value.isfinite().all()) for value in state["model"].values())


def test_resuming_at_an_epochs_end_repeats_the_uninterrupted_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(rec_config(tmp_path, 2, run="whole"), say=silent)
    original = Trainer.step

    def fail_in_second_epoch(trainer: Trainer, batch: object) -> object:
        if trainer.progress.epoch == 1:
            raise RuntimeError("the power fails")
        return original(trainer, batch)

    monkeypatch.setattr(Trainer, "step", fail_in_second_epoch)
    with pytest.raises(RuntimeError, match="power"):
        train(rec_config(tmp_path, 2, run="halves"), say=silent)
    monkeypatch.setattr(Trainer, "step", original)
    train(rec_config(tmp_path, 2, f"Global.checkpoints={tmp_path / 'halves'}", run="halves"), say=silent)
    whole, halves = weights(tmp_path / "whole" / LATEST), weights(tmp_path / "halves" / LATEST)
    assert all(np.array_equal(whole[name], halves[name]) for name in whole)


def test_a_folder_that_holds_a_run_is_not_overwritten(tmp_path: Path) -> None:
    config = rec_config(tmp_path, 1)
    train(config, say=silent)
    with pytest.raises(ConfigError, match="already holds a run") as caught:
        train(config, say=silent)
    assert "Global.checkpoints" in str(caught.value)


def test_a_folder_that_cannot_be_made_is_a_config_error(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file is in the way")
    with pytest.raises(ConfigError, match="cannot write to"):
        train(rec_config(tmp_path, 1), say=silent)


def test_evaluation_by_steps_keeps_the_last_one(tmp_path: Path) -> None:
    result = train(rec_config(tmp_path, 2, "Global.eval_batch_step=[2,3]"), say=silent)
    assert [score.step for score in result.history] == [0, 5, 8, 10]


def test_weights_of_a_run_start_another_run(tmp_path: Path) -> None:
    first = train(rec_config(tmp_path, 2, run="a"), say=silent)
    said: list[str] = []
    second = train(rec_config(tmp_path, 1, f"Global.pretrained_model={tmp_path / 'a'}", run="b"), say=said.append)
    assert second.before.metrics == first.after.metrics
    assert any("100.0 % of the parameters" in line for line in said)


def test_a_folded_checkpoint_keeps_its_form(tmp_path: Path) -> None:
    train(rec_config(tmp_path, 1), say=silent)
    folder = tmp_path / "run"
    run = load_run(folder)
    image = torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        before = run.model(image)["ctc"]
        fold_(run.model)
        save_weights(folder / BEST, run.model, run.charset, run.score)
        after = load_run(folder).model(image)["ctc"]
    torch.testing.assert_close(before, after, rtol=1e-4, atol=1e-4)


def test_damaged_and_foreign_checkpoints_are_refused(tmp_path: Path) -> None:
    train(rec_config(tmp_path, 1), say=silent)
    folder = tmp_path / "run"
    content = (folder / STATE).read_bytes()
    (folder / STATE).write_bytes(content[: len(content) // 2])
    with pytest.raises(WeightsError, match="not a complete checkpoint"):
        train(rec_config(tmp_path, 2, f"Global.checkpoints={folder}"), say=silent)
    (folder / BEST).write_bytes((folder / BEST).read_bytes()[:1000])
    with pytest.raises(WeightsError, match="not a complete safetensors file"):
        load_run(folder)
    with pytest.raises(WeightsError, match="not a run folder"):
        load_run(tmp_path / "data")


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system has no fork")
@pytest.mark.parametrize("to_all", [False, True])
def test_a_lost_worker(to_all: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an error in one line; unless a signal to all processes reached the worker first: then the run is saved."""
    prepare, training_process = TrainingDataset.__getitem__, os.getpid()

    def lost(self: TrainingDataset, draw: Draw) -> object:
        if draw.epoch == 1 and os.getpid() != training_process:
            if to_all:
                subprocess.Popen(["/bin/sh", "-c", f"sleep 0.3; kill -TERM {training_process}"])
            os.kill(os.getpid(), signal.SIGKILL)
        return prepare(self, draw)

    monkeypatch.setattr(TrainingDataset, "__getitem__", lost)
    config = rec_config(tmp_path, 2, "Train.loader.num_workers=1")
    if not to_all:
        with pytest.raises(TrainingError, match=r"Train\.loader: a worker process was lost.*lower num_workers"):
            train(config, say=silent)
        return
    said: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        train(config, say=said.append)
    assert load_state(tmp_path / "run")["progress"]["step"] == 5
