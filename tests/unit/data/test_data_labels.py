"""Sets of label files: ratios, draws, held-out samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ocrtune.config.data_schema import DatasetOptions
from ocrtune.core.errors import ConfigError, DataError
from ocrtune.core.records import Sample
from ocrtune.data.holdout import split_holdout
from ocrtune.data.labels import LabelSet, read_label_set, read_splits
from ocrtune.data.mixing import ratios_of_mix


def numbered(*counts: int) -> list[list[Sample]]:
    return [[Sample(f"{file}:{i}", Path(f"{file}-{i}")) for i in range(count)] for file, count in enumerate(counts)]


@pytest.mark.parametrize(
    ("count", "ratio", "drawn"),
    # PaddleOCR at 79f652f5: random.sample(lines, round(len(lines) * ratio)), Python's rounding to even
    [(10, 0.35, 4), (10, 0.25, 2), (5, 0.5, 2), (7, 0.5, 4), (100, 0.1, 10), (3, 0.1, 0), (10, 1.0, 10)],
)
def test_ratio_counts_as_paddleocr(count: int, ratio: float, drawn: int) -> None:
    labels = LabelSet.of(numbered(count), [ratio])
    indices = labels.draw(np.random.default_rng(0))
    assert labels.epoch_size() == len(indices) == drawn
    assert len(set(indices.tolist())) == drawn


def test_ratio_above_one_repeats_samples() -> None:
    labels = LabelSet.of(numbered(4, 10), [2.5, 0.5])
    indices = labels.draw(np.random.default_rng(3))
    counts = np.bincount(indices, minlength=14)
    assert labels.epoch_size() == len(indices) == 15
    assert sorted(counts[:4]) == [2, 2, 3, 3]
    assert sorted(counts[4:]) == [0] * 5 + [1] * 5


def test_draws_differ_by_epoch_and_cover_the_file() -> None:
    labels = LabelSet.of(numbered(100), [0.1])
    draws = [labels.draw(np.random.default_rng([1, epoch])) for epoch in range(50)]
    assert len({tuple(draw) for draw in draws}) == 50
    assert 97 <= len(np.unique(np.concatenate(draws))) <= 100  # expected 1 - 0.9 ** 50 = 99.5 %


def test_without_keeps_files_and_sizes_aligned() -> None:
    labels = LabelSet.of(numbered(3, 2), [1.0, 0.5])
    labels = LabelSet(labels.samples, labels.files, labels.ratios, np.arange(10).reshape(5, 2))
    rest = labels.without([0, 4])
    assert [sample.source for sample in rest.samples] == ["0:1", "0:2", "1:0"]
    assert rest.files == ((0, 2), (2, 3))
    assert rest.ratios == labels.ratios
    assert rest.sizes is not None
    assert rest.sizes.tolist() == [[2, 3], [4, 5], [6, 7]]


def test_problems_of_all_files_are_raised_together(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("no tab\n")
    options = DatasetOptions(
        data_dir=tmp_path, label_file_list=(tmp_path / "a.txt", tmp_path / "b.txt"), ratio_list=(1, 1)
    )
    with pytest.raises(DataError) as caught:
        read_label_set(options, "rec")
    assert [str(p).split(":")[0] for p in caught.value.problems] == [str(tmp_path / "a.txt"), str(tmp_path / "b.txt")]


def test_holdout_takes_blocks_all_over_the_file() -> None:
    training, held = split_holdout(range(1000), 0.1, seed=5)
    assert len(held) == 100
    assert sorted(training + held) == list(range(1000))
    assert training == sorted(training)
    starts = [i for i in held if i - 1 not in held]
    assert len(starts) <= 20
    assert all(any(low <= i < low + 100 for i in held) for low in range(0, 1000, 100))
    assert split_holdout(range(1000), 0.1, seed=5) == (training, held)
    assert split_holdout(range(1000), 0.1, seed=6)[1] != held


@pytest.mark.parametrize(
    ("count", "share", "held"), [(2, 0.1, 1), (3, 0.9, 2), (9, 0.5, 4), (60, 0.99, 59), (7, 0.4, 3)]
)
def test_holdout_of_small_sets(count: int, share: float, held: int) -> None:
    for seed in range(20):
        parts = split_holdout(range(count), share, seed)
        assert len(parts[1]) == held
        assert sorted(parts[0] + parts[1]) == list(range(count))


def test_evaluation_from_held_out_training_samples(rec_set: Path) -> None:
    train = DatasetOptions(data_dir=rec_set.parent, label_file_list=(rec_set,), ratio_list=(0.5,))
    training, evaluation = read_splits(train, DatasetOptions(holdout=0.25), "rec", seed=1)
    assert (len(training), len(evaluation)) == (18, 6)
    assert training.ratios == (0.5,)
    assert evaluation.ratios == (1.0,)
    assert not {s.source for s in training.samples} & {s.source for s in evaluation.samples}


def test_no_evaluation_set_is_an_error(rec_set: Path) -> None:
    train = DatasetOptions(data_dir=rec_set.parent, label_file_list=(rec_set,), ratio_list=(1.0,))
    with pytest.raises(ConfigError, match=r"Eval.dataset.label_file_list: no label file is given. name one, or set"):
        read_splits(train, DatasetOptions(), "rec", seed=1)


def test_evaluation_sees_every_image_of_a_list(rec_set: Path) -> None:
    listed = rec_set.parent / "list.txt"
    listed.write_text('["crop0.png", "crop1.png"]\tAB\ncrop2.png\tC\n')
    train = DatasetOptions(data_dir=rec_set.parent, label_file_list=(rec_set,), ratio_list=(1.0,))
    evaluation = DatasetOptions(data_dir=rec_set.parent, label_file_list=(listed,), ratio_list=(1.0,))
    samples = read_splits(train, evaluation, "rec", seed=1)[1].samples
    assert [sample.image_path.name for sample in samples] == ["crop0.png", "crop1.png", "crop2.png"]
    assert all(not sample.alternatives for sample in samples)


@pytest.mark.parametrize(
    ("counts", "parts", "drawn"),
    [([500, 10000], (1, 1), [500, 500]), ([500, 100], (1, 2), [500, 1000]), ([40, 10, 30], (2, 1, 1), [40, 20, 20])],
)
def test_mix_draws_all_of_the_first_file_and_the_others_in_proportion(
    counts: list[int], parts: tuple[float, ...], drawn: list[int]
) -> None:
    labels = LabelSet.of([numbered(count)[0] for count in counts], ratios_of_mix(counts, parts))
    assert labels.epoch_counts() == list(zip(drawn, counts))
    chosen = labels.draw(np.random.default_rng(0))
    assert [int(((chosen >= start) & (chosen < end)).sum()) for start, end in labels.files] == drawn


def test_mix_goes_by_the_names_of_the_label_files(tmp_path: Path) -> None:
    files = (tmp_path / "vertical.txt", tmp_path / "general.txt")
    for path, count in zip(files, (2, 6)):
        path.write_text("".join(f"{path.stem}{i}.png\tA\n" for i in range(count)))
        for i in range(count):
            (tmp_path / f"{path.stem}{i}.png").touch()
    options: dict[str, Any] = {"data_dir": tmp_path, "label_file_list": files, "ratio_list": (1.0, 1.0)}
    labels = read_label_set(DatasetOptions(**options, mix={"general": 1, "vertical": 1}), "rec")
    assert labels.epoch_counts() == [(2, 2), (2, 6)]
    for mix, said in (
        ({"vertical": 1}, "the label files are vertical, general"),
        ({"vertical": 1, "general": 0}, "above 0"),
    ):
        with pytest.raises(ValueError, match=said):
            DatasetOptions(**options, mix=mix)
    with pytest.raises(ValueError, match="either mix or ratio_list"):
        DatasetOptions(**options | {"ratio_list": (1.0, 0.5)}, mix={"vertical": 1, "general": 1})
