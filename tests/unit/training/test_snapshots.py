"""iter_epoch_N: which epochs are kept, which are deleted, and what is inside."""

from pathlib import Path

import pytest
import torch
from tiny_runs import rec_config

from ocrtune.config.schema import GlobalOptions
from ocrtune.training.checkpoint import LATEST
from ocrtune.training.run import train
from ocrtune.training.run_evaluation import evaluate_config
from ocrtune.training.snapshots import Snapshots


@pytest.mark.parametrize(
    ("every", "keep", "kept"),
    [
        (None, None, []),
        (3, None, [3, 6, 9, 12]),
        (3, 2, [9, 12]),
        (None, 3, [10, 11, 12]),  # 9 is older than 10, whatever the alphabet says
        (20, 2, []),
    ],
)
def test_every_so_many_epochs_the_last_so_many(
    every: int | None, keep: int | None, kept: list[int], tmp_path: Path
) -> None:
    for epoch in range(1, 13):
        (tmp_path / LATEST).write_text(f"weights of epoch {epoch}")
        Snapshots(tmp_path, every, keep).take(epoch)
    (tmp_path / LATEST).unlink()
    expected = {f"iter_epoch_{epoch}.safetensors": f"weights of epoch {epoch}" for epoch in kept}
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == expected


def test_only_snapshots_are_deleted(tmp_path: Path) -> None:
    for name in ("iter_epoch_1.safetensors", "iter_epoch_2", "my_iter_epoch_1.safetensors", LATEST):
        (tmp_path / name).touch()
    Snapshots(tmp_path, None, 1).take(2)
    names = {"iter_epoch_2.safetensors", "iter_epoch_2", "my_iter_epoch_1.safetensors", LATEST}
    assert {path.name for path in tmp_path.iterdir()} == names


def test_a_runs_snapshots_are_its_weights_after_those_epochs(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    more = ("Global.save_epoch_step=2", "Global.keep_checkpoints=1")
    result = train(rec_config(tmp_path, 5, *more), say=lambda line: None)
    [snapshot] = (tmp_path / "run").glob("iter_epoch_*")
    assert snapshot.name == "iter_epoch_4.safetensors"
    said: list[str] = []
    found = evaluate_config(rec_config(tmp_path, 5, f"Global.checkpoints={snapshot}"), say=said.append)
    assert found == next(score.metrics for score in result.history if score.epoch == 4)
    assert said[0].endswith("epoch 4, step 20")


@pytest.mark.parametrize("name", ["save_epoch_step", "keep_checkpoints", "profile"])
def test_numbers_below_one_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"{name} is 0, expected at least 1"):
        GlobalOptions(1, tmp_path, **{name: 0})
