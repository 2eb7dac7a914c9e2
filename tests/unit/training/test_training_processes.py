"""Several processes learn what one process learns from the same batches, and end together.

BatchNorm in train mode sees the batch of its process. So the runs that are compared with one process and its large
batch freeze the backbone, where the recogniser's BatchNorms are; those with accumulated batches need not.
"""

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from forked import in_processes
from test_training_controls import joined
from tiny_runs import det_config, rec_config
from tiny_training import Scale, batch, trainer
from torch import nn

from ocrtune.cli.main import main
from ocrtune.config import RunConfig
from ocrtune.config.writer import save_config
from ocrtune.core.errors import ConfigError, TrainingError
from ocrtune.training.checkpoint import LATEST, load_state
from ocrtune.training.evaluate import evaluate
from ocrtune.training.processes import Processes, processes_of, with_synchronised_norms
from ocrtune.training.run import JOURNAL, train
from ocrtune.training.watch import Watch
from ocrtune.weights.native import read_native

FROZEN = ("Global.freeze=[backbone]", "Global.print_batch_step=1")
ODD = "Train.dataset.ratio_list=[1, 1, 1, 1, 0.875]"  # 39 samples, so that the last batch divides unequally


def quiet(line: str) -> None:
    pass


def events(folder: Path, kind: str) -> list[dict]:
    lines = (folder / JOURNAL).read_text().splitlines()
    return [event for event in map(json.loads, lines) if event["event"] == kind]


def assert_alike(one: Path, several: Path, steps: int, metrics: bool = True, rel: float | None = None) -> None:
    expected, found = ([event["loss"] for event in events(folder, "step")] for folder in (one, several))
    assert len(expected) == steps
    assert found == pytest.approx(expected, abs=1e-4, rel=rel)
    if metrics:
        expected, found = ([event["metrics"] for event in events(folder, "eval")] for folder in (one, several))
        assert len(found) == len(expected) > 1
        assert all(own == pytest.approx(other, abs=1e-9) for own, other in zip(found, expected))
        weights, other = (read_native(folder / LATEST)[0] for folder in (one, several))
        assert weights.keys() == other.keys()
        assert max(abs(other[name] - value).max() for name, value in weights.items() if value.size) < 1e-3


def in_each(world: int, config: RunConfig) -> None:
    """Train ``config`` in ``world`` processes."""
    for result in in_processes(world, lambda rank: train(config, device="cpu", say=quiet).steps):
        assert isinstance(result, int), result


def test_torchrun_trains_as_one_process_with_the_same_total_batch(tmp_path: Path) -> None:
    """The real command: 2 processes x 3 x 2 accumulated, against 6 x 2 accumulated; with a moving average."""
    more = (*FROZEN, ODD, "Global.use_ema=true", "Global.ema_decay=0.9", "Optimizer.gradient_accumulation_steps=2")
    train(rec_config(tmp_path, 5, *more, "Train.loader.batch_size_per_card=6", run="one"), device="cpu", say=quiet)
    config = tmp_path / "several.yml"
    save_config(rec_config(tmp_path, 5, *more, "Train.loader.batch_size_per_card=3", run="several"), config)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["-m", "ocrtune", "train", "-c", str(config), "--device", "cpu"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stderr
    assert_alike(tmp_path / "one", tmp_path / "several", steps=20)
    assert done.stdout.count("plan:") == done.stdout.count("in all;") == 1  # one process speaks
    assert "total batch 12 (2 cards x 3 x 2 accumulated)" in done.stdout
    assert len(events(tmp_path / "several", "start")) == 1


def test_four_processes_train_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "accelerate", None)  # one process does not need it
        train(rec_config(tmp_path, 4, *FROZEN, ODD, run="one"), device="cpu", say=quiet)
    in_each(4, rec_config(tmp_path, 4, *FROZEN, ODD, "Train.loader.batch_size_per_card=2", run="four"))
    assert_alike(tmp_path / "one", tmp_path / "four", steps=20)


def test_a_detector_in_two_processes_trains_as_with_accumulated_batches(tmp_path: Path) -> None:
    """DB's loss and BatchNorm see the batch of a process as they see an accumulated one; the statistics that BatchNorm
    keeps are rank 0's, so evaluations differ. Adam would make whole steps of the rounding of gradients near 0."""
    momentum = ("Optimizer.name=Momentum", "Optimizer.momentum=0.9")
    more = (*momentum, "Global.print_batch_step=1", "Train.loader.batch_size_per_card=2")
    accumulated = "Optimizer.gradient_accumulation_steps=2"
    train(det_config(tmp_path, 1, *more, accumulated, run="one"), device="cpu", say=quiet)
    in_each(2, det_config(tmp_path, 1, *more, run="two"))
    assert_alike(tmp_path / "one", tmp_path / "two", steps=5, metrics=False, rel=1e-4)


def stopped_at_step_7(config: RunConfig, stop: Callable[[int], None]) -> list[int]:
    """``stop(rank)`` before the seventh step is told to the observer; the last step that each process went on after."""

    def work(rank: int) -> int:
        told = Watch.stepped
        steps: list[int] = []

        def stepped(watch: Watch, *arguments: Any) -> None:
            if watch.trainer.progress.step == 7:
                stop(rank)
            told(watch, *arguments)
            steps.append(watch.trainer.progress.step)

        Watch.stepped = stepped
        with pytest.raises(KeyboardInterrupt):
            train(config, device="cpu", say=quiet)
        return steps[-1]

    return in_processes(2, work)


def signal_the_second(rank: int) -> None:
    if rank == 1:
        signal.raise_signal(signal.SIGTERM)


def die(rank: int) -> None:
    raise KeyboardInterrupt


def test_a_signal_to_one_process_stops_all_at_one_step(tmp_path: Path) -> None:
    config = rec_config(tmp_path, 2, "Train.loader.batch_size_per_card=4", run="stopped")
    assert stopped_at_step_7(config, signal_the_second) == [6, 6]
    state = load_state(tmp_path / "stopped")
    assert state["progress"]["step"] == 7


def test_processes_that_died_resume_to_the_same_weights(tmp_path: Path) -> None:
    """Ten steps, in two epochs; the state is that of the end of the first."""
    size = "Train.loader.batch_size_per_card=4"
    in_each(2, rec_config(tmp_path, 2, size, run="alone"))
    assert stopped_at_step_7(rec_config(tmp_path, 2, size, run="died"), die) == [6, 6]
    assert load_state(tmp_path / "died")["progress"]["step"] == 5
    in_each(2, rec_config(tmp_path, 2, size, f"Global.checkpoints={tmp_path / 'died'}", run="died"))
    (expected, _), (found, _) = (read_native(tmp_path / name / LATEST) for name in ("alone", "died"))
    assert all(found[name].tobytes() == value.tobytes() for name, value in expected.items())


def test_an_error_in_one_process_ends_all_with_one_message(tmp_path: Path) -> None:
    more = ("Train.loader.batch_size_per_card=4", "Train.loader.shuffle=false", "Train.dataset.ratio_list=[1]")
    labels = tmp_path / "data" / "bad.txt"
    rec_config(tmp_path, 1)
    lines = (tmp_path / "data" / "train.txt").read_text().splitlines()
    lines[5] = "broken.png\t12"  # of the first eight samples, the second process has the last four
    (tmp_path / "data" / "broken.png").write_bytes(b"no image")
    labels.write_text("\n".join(lines) + "\n")
    config = tmp_path / "broken.yml"
    save_config(rec_config(tmp_path, 1, *more, f"Train.dataset.label_file_list=[{labels}]", run="broken"), config)

    def command(rank: int) -> int:
        errors = os.open(tmp_path / f"errors{rank}", os.O_CREAT | os.O_WRONLY)
        os.dup2(errors, 2)
        sys.stderr = os.fdopen(2, "w")
        return main(["train", "-c", str(config), "--device", "cpu"])

    assert in_processes(2, command) == [1, 1]
    said, other = ((tmp_path / f"errors{rank}").read_text() for rank in (0, 1))
    assert said.count("error:") == 1
    assert "bad.txt:6" in said
    assert other == ""


class Sum:
    """A task: the sum of the outputs."""

    main_indicator = "sum"
    total = 0.0

    def reset(self) -> None:
        self.total = 0.0

    def update(self, outputs, batch) -> None:
        self.total += float(outputs["y"].sum())

    def sums(self) -> dict[str, float]:
        return {"total": self.total}

    def add(self, sums) -> None:
        self.total += sums["total"]

    def compute(self) -> dict[str, float]:
        return {"sum": self.total}


PARTS = [[batch(1, 2), joined(batch(3, 1), batch(2, 5))], [batch(4, 4), batch(2, 2)], []]


def test_batches_of_unequal_processes_weigh_by_their_samples_and_bad_ones_change_nothing() -> None:
    """Three processes with three samples, two and none; then one with a loss that is no number."""

    def learn(rank: int) -> list[object]:
        with processes_of("cpu") as processes:
            subject = trainer(Scale(0.5))
            subject.processes = processes
            good = subject.step(PARTS[rank])
            weight, gradient = subject.model.weight.item(), subject.model.weight.grad.item()
            bad = subject.step([batch(math.nan if rank == 1 else 1.0, 1, f"labels.txt:{rank}")])
            kept = subject.model.weight.item()
            return [
                good.losses["loss"],
                gradient,
                good.count,
                weight,
                bad.skipped,
                [s.source for s in bad.samples],
                kept,
            ]

    one = trainer(Scale(0.5))
    expected = one.step([joined(*PARTS[0], *PARTS[1])])
    gradient = one.model.weight.grad.item()  # Adam would hide a wrong factor
    everyone = ["labels.txt:0", "labels.txt:1", "labels.txt:2"]
    for loss, own, count, found, skipped, sources, kept in in_processes(3, learn):
        assert (loss, own) == (pytest.approx(expected.losses["loss"]), pytest.approx(gradient))
        assert found == pytest.approx(one.model.weight.item())
        assert (count, skipped, sources, kept) == (5, "the loss is not a number", everyone, found)


def test_what_processes_tell_each_other() -> None:
    def talk(rank: int) -> list[object]:
        with processes_of("cpu") as processes:
            said = [processes.gather(rank), processes.any(rank == 1), processes.any(False)]
            said.append(processes.decided(lambda: f"rank {rank}"))
            values = [torch.full((2, 3), float(rank)), torch.tensor(rank), torch.ones(1)]
            processes.copy_(values)
            said.append([value.sum().item() for value in values])
            grid = torch.arange(24.0).reshape(1, 2, 3, 4)
            last = grid.contiguous(memory_format=torch.channels_last) * (rank + 1)
            processes.sum_([last], 0.5)
            said.append(torch.equal(last, grid * 1.5))
            return said

    assert in_processes(2, talk) == [[[0, 1], True, False, "rank 0", [0.0, 0, 1.0], True]] * 2


def test_sharded_evaluation_adds_up_and_counts_every_sample() -> None:
    def measured(rank: int) -> tuple[float, str]:
        shard = [batch(float(i), 0.0) for i in range(5)][rank::2]
        with processes_of("cpu") as processes:
            model = Scale(1.0)
            model.register_buffer("statistic", torch.tensor(float(rank)))
            found = evaluate(model, shard, Sum(), 5, processes=processes)["sum"]
            assert model.statistic == 0.0  # rank 0's
            with pytest.raises(TrainingError) as error:
                evaluate(model, shard, Sum(), 6, processes=processes)
            return found, str(error.value)

    assert in_processes(2, measured) == [(10.0, "evaluation: scored 5 samples, expected 6")] * 2


def test_synchronised_batchnorm_keeps_its_names_and_needs_gpus() -> None:
    network = nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2))
    names = list(network.state_dict())
    assert with_synchronised_norms(network, Processes()) is network
    with pytest.raises(ConfigError, match=r"Global.use_sync_bn: .* compute on the CPU"):
        with_synchronised_norms(network, Processes(0, 2, torch.device("cpu")))
    processes = Processes(0, 2, torch.device("cuda"))
    converted = with_synchronised_norms(network, processes)
    assert isinstance(converted[1], nn.SyncBatchNorm)
    assert list(converted.state_dict()) == names
    assert processes.synchronised


@pytest.mark.parametrize(
    ("device", "missing", "said"),
    [("cpu", True, "ocrtune\\[distributed\\]"), ("cuda:1", False, "one for all processes")],
)
def test_torchrun_without_accelerate_or_with_one_gpu_for_all(
    device: str, missing: bool, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "0")
    if missing:
        monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(ConfigError, match=said), processes_of(device):
        pass


LEAVING = r"""
from pathlib import Path

from ocrtune.training.processes import processes_of

with processes_of("cpu") as processes:
    import torch._dynamo  # what torch.compile imports when it is first used

    processes.gather(processes.rank)
names = [path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")]
print(f"{[name for name in names if 'gloo' in name]}\n", end="", flush=True)
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are listed by Linux only")
def test_no_thread_of_the_connection_outlives_it(tmp_path: Path) -> None:
    """One that does may ask for Python while Python ends, and then aborts the process after all is done."""
    script = tmp_path / "leaving.py"
    script.write_text(LEAVING)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[]\n[]\n"
