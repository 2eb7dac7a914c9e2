"""The parts of a run, one by one, with a model of one weight."""

import io
import json
import math
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tiny_training import Batches, Notes, Scale, batch, trainer
from torch import Tensor, nn

from ocrtune.config.optimizer_schema import LearningRate, OptimizerOptions, Regularizer
from ocrtune.core.errors import TrainingError
from ocrtune.core.records import Batch
from ocrtune.training.checkpoint import (
    Progress,
    Score,
    load_state,
    random_state,
    save_state,
    set_random_state,
    write_file,
)
from ocrtune.training.ema import WeightAverage, decay_at
from ocrtune.training.evaluate import evaluate
from ocrtune.training.interrupt import Interrupt
from ocrtune.training.logs import Bar, Journal, Meter, duration
from ocrtune.training.loop import fit, leave_out
from ocrtune.training.optim import build_optimizer
from ocrtune.training.precision import autocast, choose_precision, has_native_bfloat16
from ocrtune.training.result import RunResult
from ocrtune.training.start import resume
from ocrtune.training.watch import EvaluationPlan

CPU = torch.device("cpu")


def test_the_loop_takes_every_batch_of_every_epoch_and_learns() -> None:
    model, loader, notes = Scale(), Batches([batch(1, 2), batch(2, 4)]), Notes()
    subject = trainer(model)
    fit(subject, loader, 40, notes)
    assert loader.epochs == list(range(40))
    assert (len(notes.steps), notes.epochs) == (80, 40)
    assert (subject.progress.step, subject.progress.epoch) == (80, 40)
    assert model.weight.item() == pytest.approx(2, abs=0.1)


def test_the_loop_goes_on_from_an_epoch() -> None:
    loader, notes = Batches([batch(1, 2)]), Notes()
    subject = trainer(Scale())
    subject.progress.epoch = 3
    fit(subject, loader, 5, notes)
    assert loader.epochs == [3, 4]


def test_a_loss_that_is_not_a_number_changes_nothing_and_five_in_a_row_stop_the_run() -> None:
    model = Scale(1.0)
    subject = trainer(model)
    for i in range(4):
        result = subject.step([batch(math.nan, 1, f"labels.txt:{i}")])
        assert result.skipped == "the loss is not a number"
    assert model.weight.item() == 1.0
    subject.step([batch(1, 2)])
    assert model.weight.item() != 1.0
    for _ in range(4):
        subject.step([batch(math.nan, 1)])
    with pytest.raises(TrainingError, match=r"step 10: .*5 steps in a row; the last batch: bad.txt:9"):
        subject.step([batch(math.inf, 1, "bad.txt:9")])


def test_a_gradient_that_is_not_a_number_changes_nothing() -> None:
    class Root(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(1))

        def forward(self, image: Tensor, targets: dict[str, Tensor] | None = None) -> dict[str, Tensor]:
            return {"y": self.weight.sqrt() * image.mean()}

    model = Root()
    result = trainer(model, clip_norm_global=1.0).step([batch(1, 1)])
    assert result.skipped == "the gradient is not a number"
    assert model.weight.item() == 0


def test_clipping_bounds_the_whole_gradient() -> None:
    model = Scale()
    trainer(model, clip_norm_global=0.5).step([batch(100, 100)])
    assert model.weight.grad is not None
    assert model.weight.grad.abs().item() == pytest.approx(0.5, rel=1e-4)


def test_a_parameters_own_decay_replaces_the_common_one_and_frozen_ones_are_left_out() -> None:
    model = nn.ModuleDict({"body": nn.Linear(2, 2), "head": nn.Linear(2, 2), "frozen": nn.Linear(2, 2)})
    model["head"].l2_overrides = {"": 0.25}
    model["frozen"].requires_grad_(False)
    options = OptimizerOptions(lr=LearningRate("Const", 0.1), regularizer=Regularizer("L2", 0.0))
    groups = {group["weight_decay"]: len(group["params"]) for group in build_optimizer(model, options).param_groups}
    assert groups == {0.0: 2, 0.25: 2}


def test_adamw_spares_what_it_is_told_to_spare() -> None:
    model = nn.ModuleDict({"body": nn.Linear(2, 2), "norm": nn.Linear(2, 2)})
    options = OptimizerOptions(
        lr=LearningRate("Const", 0.1),
        name="AdamW",
        weight_decay=0.3,
        no_weight_decay_name="norm embed",
        one_dim_param_no_weight_decay=True,
    )
    groups = {group["weight_decay"]: len(group["params"]) for group in build_optimizer(model, options).param_groups}
    assert groups == {0.3: 1, 0.0: 3}


def test_the_average_is_the_average_at_every_step() -> None:
    model = Scale(1.0)
    average = WeightAverage(model, 0.5, "normal")
    for value in (2.0, 4.0):
        model.weight.data.fill_(value)
        average.update(model)
    assert average.values["weight"].item() == pytest.approx(1 / 4 + 2 / 4 + 4 / 2)
    with average.applied(model):
        assert model.weight.item() == pytest.approx(2.75)
    assert model.weight.item() == 4.0
    copy = WeightAverage(Scale(), 0.5)
    copy.load_state_dict(average.state_dict())
    assert (copy.step, copy.values["weight"].item()) == (2, 2.75)
    with pytest.raises(ValueError, match="another model"):
        copy.load_state_dict({"step": 1, "values": {"other": torch.zeros(1)}})


def test_the_average_counts_batches_as_they_are() -> None:
    model = nn.BatchNorm2d(2)
    average = WeightAverage(model, 0.9)
    model(torch.ones(1, 2, 2, 2))
    average.update(model)
    assert average.values["num_batches_tracked"] == 1


def test_decay_rules() -> None:
    assert [round(decay_at(step, 0.5, "threshold"), 3) for step in (0, 1, 100)] == [0.1, 0.182, 0.5]
    assert decay_at(0, 0.5, "normal") == 0.5
    assert 0 < decay_at(0, 0.5, "exponential") < 0.001
    assert decay_at(10**6, 0.5, "exponential") == pytest.approx(0.5)


class MeanTask:
    main_indicator = "mean"

    def reset(self) -> None:
        self.values: list[float] = []

    def update(self, outputs: dict[str, Tensor], batch: Batch) -> None:
        assert not torch.is_grad_enabled()
        self.values += outputs["y"].tolist()

    def compute(self) -> dict[str, float]:
        return {"mean": sum(self.values) / len(self.values)}


def test_evaluation_scores_all_or_raises_and_leaves_the_mode_alone() -> None:
    model = Scale(2.0).train()
    loader = Batches([batch(1, 0), batch(3, 0)])
    assert evaluate(model, loader, MeanTask(), 2) == {"mean": 4.0}
    assert model.training
    with pytest.raises(TrainingError, match="scored 2 samples, expected 3"):
        evaluate(model, loader, MeanTask(), 3)


def test_evaluation_plan_is_paddleocrs() -> None:
    assert [step for step in range(1, 12) if EvaluationPlan.of((3, 2)).after_step(step)] == [5, 7, 9, 11]
    assert [step for step in range(1, 8) if EvaluationPlan.of(3).after_step(step)] == [3, 6]
    assert not any(EvaluationPlan.of(None).after_step(step) for step in range(100))


def test_state_comes_back_with_its_random_numbers(tmp_path: Path) -> None:
    progress = Progress(7, 2, Score({"acc": 0.5}, 0, 0), Score({"acc": 0.75}, 5, 2), [Score({"acc": 0.5}, 0, 0)])
    save_state(tmp_path, {"progress": progress.to_dict(), "weights": {"a": torch.arange(3)}})
    expected = torch.rand(3)
    state = load_state(tmp_path)
    assert torch.equal(torch.rand(3), expected)
    assert Progress.from_dict(state["progress"]) == progress
    assert state["weights"]["a"].tolist() == [0, 1, 2]
    assert "random" not in state


def test_random_state_covers_numpy_and_python() -> None:
    import random

    import numpy as np

    state = random_state()
    first = (random.random(), float(np.random.rand()))
    set_random_state(state)
    assert (random.random(), float(np.random.rand())) == first


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x"
    write_file(path, b"old")

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(TrainingError, match="No space left"):
        write_file(path, b"new")
    assert path.read_bytes() == b"old"


def test_journal_lines_are_json_even_for_what_json_lacks(tmp_path: Path) -> None:
    with Journal(tmp_path / "train.jsonl") as journal:
        journal.write("step", {"loss": math.nan, "metrics": {"acc": math.inf, "n": 3}, "text": "中"})
        journal.write("eval", {"best": True})
    lines = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text(encoding="utf-8").splitlines()]
    assert lines[0]["loss"] is None
    assert lines[0]["metrics"] == {"acc": None, "n": 3}
    assert (lines[0]["text"], lines[1]["event"]) == ("中", "eval")
    assert lines[0]["time"] <= lines[1]["time"]


def test_meter_means_and_forgets() -> None:
    meter = Meter()
    meter.add({"loss": 1.0}, 4, 0.0)
    meter.add({"loss": 3.0, "part": 1.0}, 4, 0.0)
    found = meter.read()
    assert (found["loss"], found["part"], found["waiting"]) == (2.0, 0.5, 0.0)
    assert found["samples_per_s"] > 0
    assert meter.read() == {}


def test_bar_is_quiet_off_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    with Bar(100, "step", stream=stream) as bar:
        for _ in range(50):
            bar.advance("loss 1.0")
        assert stream.getvalue() == ""
        monkeypatch.setattr("ocrtune.training.logs._PLAIN_EVERY_S", 0.0)
        bar.advance("loss 1.0")
    assert stream.getvalue().startswith("step 51/100  loss 1.0  0:")
    assert stream.getvalue().count("\n") == 1


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (3723, "1:02:03")])
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_interrupt_waits_for_the_check_and_a_later_second_one_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("ocrtune.training.interrupt.time.monotonic", lambda: now)
    before = signal.getsignal(signal.SIGINT)
    with Interrupt() as interrupt:
        interrupt.check()
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            interrupt.check()
        now += 1.9
        signal.raise_signal(signal.SIGTERM)  # as torchrun repeats it
        assert not interrupt.at_once
        now += 0.1
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert interrupt.at_once
    assert signal.getsignal(signal.SIGINT) is before


def test_precision() -> None:
    assert choose_precision("float32", CPU) == torch.float32
    assert choose_precision("bfloat16", CPU) == torch.bfloat16
    expected = torch.bfloat16 if has_native_bfloat16(CPU) else torch.float32
    assert choose_precision("auto", CPU) == expected
    with autocast(CPU, torch.bfloat16):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16
    with autocast(CPU, torch.float32):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


def test_result_table_says_what_changed_and_when_nothing_beat_the_base(tmp_path: Path) -> None:
    before, after = Score({"hmean": 0.5, "n_boxes": 10.0}, 0, 0), Score({"hmean": 0.75, "n_boxes": 8.0}, 20, 2)
    better = RunResult.of(tmp_path, "hmean", Progress(20, 2, before, after, [before, after]), 1.0, {})
    assert "hmean *" in better.table()
    assert "+0.2500" in better.table()
    assert "-2" in better.table()
    assert "epoch 2, step 20" in better.table()
    same = RunResult.of(tmp_path, "hmean", Progress(20, 2, before, before, [before, after]), 1.0, {})
    assert "no evaluation beat the base model" in same.table()
    assert json.loads(same.save().read_text())["history"][1]["metrics"]["hmean"] == 0.75
    with pytest.raises(ValueError, match="never evaluated"):
        RunResult.of(tmp_path, "hmean", Progress(), 1.0, {})


def test_steps_are_left_out_without_touching_the_random_numbers() -> None:
    def steps() -> Iterator[int]:
        torch.rand(3)  # as PyTorch's loader does when it starts
        yield from range(5)

    before, subject = torch.get_rng_state(), steps()
    leave_out(subject, 2)
    assert torch.equal(torch.get_rng_state(), before)
    assert list(subject) == [2, 3, 4]
    untouched = steps()
    leave_out(untouched, 0)
    assert list(untouched) == [0, 1, 2, 3, 4]


def test_a_run_whose_epochs_changed_begins_its_epoch_again(tmp_path: Path) -> None:
    subject = trainer(Scale())
    state = {
        "model": subject.model.state_dict(),
        "optimizer": subject.optimizer.state_dict(),
        "average": None,
        "progress": Progress(step=7, epoch=1).to_dict(),
        "steps_per_epoch": 5,
    }
    save_state(tmp_path, state)
    resume(subject, tmp_path, 5)
    assert subject.progress.step == 7
    resume(subject, tmp_path, 4)
    assert subject.progress.step == 4
