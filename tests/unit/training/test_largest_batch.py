"""batch_size_per_card: auto."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from test_memory import Small, of
from tiny_runs import rec_config
from tiny_training import CPU, Scale, SquaredError

from ocrtune.core import free_memory
from ocrtune.core.errors import ConfigError
from ocrtune.training import largest_batch
from ocrtune.training.checkpoint import BEST, LATEST
from ocrtune.training.largest_batch import Trial, by_counting, by_trying, largest, repeated, saved_bytes, sizes
from ocrtune.training.run import assemble, train
from ocrtune.weights.native import read_native

AUTO = "Train.loader.batch_size_per_card=auto"


def silent(line: str) -> None:
    """Nobody reads the lines of these runs."""


def test_sizes_are_powers_of_two_and_one_and_a_half_of_them() -> None:
    assert list(sizes(30)) == [1, 2, 3, 4, 6, 8, 12, 16, 24]
    assert [list(sizes(limit)) for limit in (1, 2, 3)] == [[1], [1, 2], [1, 2, 3]]


def test_the_trial_batch_repeats_samples_with_their_targets() -> None:
    found = repeated(of(3), 5)
    assert found.targets["y"].tolist() == [2, 5, 8, 2, 5]
    assert found.image[:, 0, 0, 0].tolist() == [1, 2, 3, 1, 2]
    assert [sample.source[-1] for sample in found.samples] == list("01201")


@pytest.mark.parametrize(("memory", "limit", "expected"), [(13, 64, 12), (5, 64, 4), (100, 20, 16), (1, 64, 1)])
def test_steps_are_tried_until_one_runs_out_of_memory(memory: int, limit: int, expected: int) -> None:
    model = Small(memory, 0.5)
    assert largest(by_trying(Trial(model, SquaredError(), of(3), CPU)), limit) == expected
    assert model.weight.grad is None
    assert model.weight.item() == 0.5
    assert max(model.sizes, default=1) <= memory


def test_what_the_forward_pass_keeps_is_counted_and_half_of_the_memory_may_be_used() -> None:
    trial = Trial(Scale(), SquaredError(), of(3), CPU)
    each = 4 + 4  # bytes: the mean colour for the weight's gradient, the error for its square
    assert [saved_bytes(trial, size) for size in (2, 4)] == [2 * each, 4 * each]
    beside = 4 * 4  # the weight's gradient, two moments, an average
    assert largest(by_counting(trial, 2 * (beside + 12 * each)), 64) == 12
    assert largest(by_counting(trial, 2 * (beside + 12 * each) - 1), 64) == 8


def weights(path: Path) -> dict[str, np.ndarray]:
    return read_native(path)[0]


def test_a_run_takes_what_fits_and_is_otherwise_the_run_of_that_batch_size(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    said: list[str] = []
    train(rec_config(tmp_path, 1, AUTO, run="auto"), device="cpu", say=said.append)
    # 40 samples an epoch; eight steps of at most 5
    assert any(line.startswith("batch: 4 samples, more would make too few steps") for line in said)
    assert any("total batch 4" in line for line in said)
    train(rec_config(tmp_path, 1, "Train.loader.batch_size_per_card=4", run="four"), device="cpu", say=silent)
    auto, four = weights(tmp_path / "auto" / LATEST), weights(tmp_path / "four" / LATEST)
    assert all(auto[name].tobytes() == four[name].tobytes() for name in four)

    said.clear()
    config = rec_config(tmp_path, 2, AUTO, f"Global.checkpoints={tmp_path / 'auto'}", run="auto")
    dataset = replace(
        config.train.dataset, label_file_list=config.train.dataset.label_file_list * 2, ratio_list=(1.0,) * 10
    )
    train(replace(config, train=replace(config.train, dataset=dataset)), device="cpu", say=said.append)
    assert any("total batch 4" in line for line in said)  # 80 samples: a new run would take 8


def test_the_linear_rule_and_the_samplers_follow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    monkeypatch.setattr(largest_batch, "free_memory", lambda: 2**40)
    rule = ("Optimizer.lr.auto=true", "Optimizer.lr.base_batch=8")
    scales = "Train.sampler={name: MultiScaleSampler, scales: [[48, 32], [96, 32]], first_bs: 8, fix_bs: false}"
    parts = assemble(rec_config(tmp_path, 1, AUTO, scales, *rule), device="cpu", say=silent)
    assert parts.config.optimizer.lr.learning_rate == 0.005
    assert parts.config.train.sampler.first_bs == 4
    assert not parts.config.train.loader.auto_batch
    assert {len(batch) for batch in parts.train_loader.plan.batches(0)} == {4, 2}
    largest_found = parts.train_loader.largest(3)
    assert tuple(largest_found.image.shape) == (3, 3, 32, 96)


def test_too_little_memory_is_respected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    monkeypatch.setattr(largest_batch, "free_memory", lambda: 1)
    said: list[str] = []
    parts = assemble(rec_config(tmp_path, 1, AUTO), device="cpu", say=said.append)
    assert parts.config.train.loader.batch_size_per_card == 1
    assert any(line.startswith("batch: 1 samples, the most that fits") for line in said)
    assert not (tmp_path / "run" / BEST).exists()


GROUP = {
    "/sys/fs/cgroup/memory.max": "1000\n",
    "/sys/fs/cgroup/memory.current": "900\n",
    "/sys/fs/cgroup/memory.stat": "anon 300\nfile 590\ninactive_file 550\n",
}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (GROUP, 650),
        ({**GROUP, "/sys/fs/cgroup/memory.current": "1600\n"}, 0),
        ({"/proc/meminfo": "MemTotal: 9 kB\nMemAvailable: 2 kB\n", "/sys/fs/cgroup/memory.max": "max\n"}, 2048),
        ({}, None),
    ],
)
def test_cached_files_count_as_free(
    files: dict[str, str], expected: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(free_memory, "_read", files.get)
    assert free_memory.free_memory() == expected


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("Train.loader.batch_size_per_card=many", "got 'many', expected a whole number or auto"),
        ("Eval.loader.batch_size_per_card=auto", "Eval.loader.batch_size_per_card: auto is for Train"),
    ],
)
def test_other_words_and_other_sections_are_refused(override: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said):
        rec_config(tmp_path, 1, override)


def test_the_saved_config_has_a_number(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    assemble(rec_config(tmp_path, 1, AUTO), device="cpu", say=silent)
    text = (tmp_path / "run" / "config.yml").read_text()
    assert "batch_size_per_card: 4" in text
    assert "auto_batch: false" in text
