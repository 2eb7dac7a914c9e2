"""mix_per_batch: every batch, not only the epoch, has the shares of the files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ocrtune.config.data_schema import (
    DataOptions,
    DatasetOptions,
    LoaderOptions,
    MultiScaleSampler,
    Sampler,
    WidthBucketSampler,
)
from ocrtune.core.records import Sample
from ocrtune.data.labels import LabelSet, read_splits
from ocrtune.data.loader import build_loader
from ocrtune.data.mixing import evenly_spread, ratios_of_mix
from ocrtune.data.sampler import BatchPlan
from ocrtune.data.shard import WHOLE, Shard

SAMPLERS = (None, WidthBucketSampler(), MultiScaleSampler(first_bs=8, fix_bs=True))


def mixture(counts: list[int], parts: list[float], per_batch: bool = True) -> LabelSet:
    """One file after the other; each file's crops are wider than those of the file before."""
    groups = [[Sample(f"{f}:{i}", Path(f"{f}-{i}"), text="AB") for i in range(count)] for f, count in enumerate(counts)]
    rng = np.random.default_rng(0)
    widths = np.concatenate([rng.integers(60 + 150 * f, 200 + 150 * f, count) for f, count in enumerate(counts)])
    labels = LabelSet.of(groups, ratios_of_mix(counts, parts))
    return replace(labels, per_batch=per_batch, sizes=np.stack([widths, np.full_like(widths, 48)], axis=1))


def plan_of(labels: LabelSet, size: int, sampler: Sampler | None, shard: Shard = WHOLE, **loader: bool) -> BatchPlan:
    options = DataOptions(DatasetOptions(), LoaderOptions(size, **{"shuffle": True, **loader}), sampler)
    return build_loader(labels, options, task="rec", seed=1, training=True, shard=shard).plan


def of_files(labels: LabelSet, plan: BatchPlan, epoch: int = 0) -> list[list[int]]:
    """Samples of each file in each batch."""
    ends = [end for _, end in labels.files]
    files = [np.searchsorted(ends, [draw.index for draw in batch], side="right") for batch in plan.batches(epoch)]
    return [np.bincount(batch, minlength=len(ends)).tolist() for batch in files]


@pytest.mark.parametrize("parts", [(1, 1), (1, 3), (2, 3, 5), (1, 1, 6), (7, 5, 3, 1)])
def test_where_shares_are_whole_numbers_every_stretch_has_them(parts: tuple[int, ...]) -> None:
    groups = np.random.default_rng(0).permutation(np.repeat(np.arange(len(parts)), np.array(parts) * 11))
    places = evenly_spread(groups)
    assert sorted(places) == list(range(len(groups)))
    for start in range(len(groups) - sum(parts)):
        stretch = groups[places[start : start + sum(parts)]]
        assert np.bincount(stretch, minlength=len(parts)).tolist() == list(parts)
    for group in range(len(parts)):  # each keeps its own order
        own = places[groups[places] == group]
        assert own.tolist() == sorted(own)


def test_other_stretches_have_them_to_one_sample() -> None:
    groups = np.repeat([0, 1], [37, 91])
    spread = groups[evenly_spread(groups)]
    for size in (3, 7, 20):
        shares = np.array([spread[i : i + size].mean() * size for i in range(len(spread) - size)])
        assert np.abs(shares - size * 91 / 128).max() < 1
    assert len(evenly_spread(np.zeros(0, int))) == 0


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("drop_last", [False, True])
def test_every_batch_has_the_shares(sampler: Sampler | None, drop_last: bool) -> None:
    labels = mixture([22, 90, 5], [2, 5, 1])  # 22, 55 and 11 a epoch, the last repeatedly
    assert [drawn for drawn, _ in labels.epoch_counts()] == [22, 55, 11]
    plan = plan_of(labels, 8, sampler, drop_last=drop_last)
    seen = set()
    for epoch in range(4):
        counts = of_files(labels, plan, epoch)
        assert counts == [[2, 5, 1]] * 11
        drawn = [draw.index for batch in plan.batches(epoch) for draw in batch]
        assert sorted({index for index in drawn if index < 22}) == list(range(22))
        assert len({index for index in drawn if 22 <= index < 112}) == 55
        assert sorted(draw.serial for batch in plan.batches(epoch) for draw in batch) == list(range(88))
        seen.add(tuple(sorted(drawn)))
    assert len(seen) == 4  # a new draw each epoch


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_without_it_only_the_epoch_has_them(sampler: Sampler | None) -> None:
    labels = mixture([22, 90, 5], [2, 5, 1], per_batch=False)
    counts = of_files(labels, plan_of(labels, 8, sampler))
    assert np.sum(counts, axis=0).tolist() == [22, 55, 11]
    assert counts.count([2, 5, 1]) < 6


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_shares_that_are_no_whole_numbers(sampler: Sampler | None) -> None:
    labels = mixture([30, 200], [1, 2])
    counts = np.array(of_files(labels, plan_of(labels, 7, sampler)))
    assert counts.sum(axis=0).tolist() == [30, 60]
    full = counts[counts.sum(axis=1) == (8 if isinstance(sampler, MultiScaleSampler) else 7)]
    assert set(full[:, 0]) <= {2, 3}
    assert len(full) >= 11


def test_width_buckets_still_group_widths() -> None:
    labels = mixture([40, 40], [1, 1])
    assert labels.sizes is not None
    plan = plan_of(labels, 8, WidthBucketSampler())
    spans = []
    for batch in plan.batches(0):
        for first in (0, 40):
            widths = [labels.sizes[draw.index, 0] for draw in batch if first <= draw.index < first + 40]
            assert len(widths) == 4
            spans.append(np.ptp(widths))
    assert np.mean(spans) < 45  # of 140; four random ones span about 84


def test_unshuffled_files_keep_their_order() -> None:
    labels = mixture([4, 4], [1, 1])
    assert [draw.index for batch in plan_of(labels, 4, None, shuffle=False).batches(3) for draw in batch] == [
        0, 4, 1, 5, 2, 6, 3, 7,
    ]  # fmt: skip


@pytest.mark.parametrize("sampler", [None, WidthBucketSampler(), MultiScaleSampler(first_bs=4, fix_bs=True)])
def test_several_processes_and_a_resumed_run_have_the_same_batches(sampler: Sampler | None) -> None:
    labels = mixture([22, 90, 5], [2, 5, 1])
    of_one = MultiScaleSampler(first_bs=8, fix_bs=True) if isinstance(sampler, MultiScaleSampler) else sampler
    one = plan_of(labels, 8, of_one)
    one.batches(0)  # a run that goes on starts at a later epoch
    shards = [plan_of(labels, 4, sampler, Shard(rank, 2)) for rank in range(2)]
    parts = zip(*(shard.batches(3) for shard in shards), strict=True)
    assert [[draw for own in part for draw in own] for part in parts] == one.batches(3)
    if not isinstance(sampler, WidthBucketSampler):
        return
    assert all(sum(counts) == 4 and 2 <= counts[1] <= 3 for counts in of_files(labels, shards[0], 3))


def test_it_outlives_holdout_and_skipped_samples(tmp_path: Path) -> None:
    files = (tmp_path / "vertical.txt", tmp_path / "general.txt")
    for path in files:
        path.write_text("".join(f"{path.stem}{i}.png\tA\n" for i in range(20)))
        for i in range(20):
            (tmp_path / f"{path.stem}{i}.png").touch()
    options = DatasetOptions(data_dir=tmp_path, label_file_list=files, ratio_list=(1.0, 1.0), mix_per_batch=True)
    training, held = read_splits(options, DatasetOptions(holdout=0.2), "rec", 1)
    kept = training.without([0])
    assert (kept.per_batch, kept.names, len(kept)) == (True, ("vertical.txt", "general.txt"), 31)
    assert not held.per_batch
