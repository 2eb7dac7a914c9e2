"""The shards of several processes are together what one process would have had."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ocrtune.codec.image import RecPreprocess
from ocrtune.config.data_schema import (
    DataOptions,
    DatasetOptions,
    LoaderOptions,
    MultiScaleSampler,
    Sampler,
    WidthBucketSampler,
)
from ocrtune.core.records import Sample
from ocrtune.data.collate import AsArrays, CollateTraining, as_tensors
from ocrtune.data.labels import LabelSet
from ocrtune.data.loader import build_loader
from ocrtune.data.sampler import EvaluationPlan
from ocrtune.data.shard import WHOLE, EvaluationShard, Shard


def labelled(count: int) -> LabelSet:
    samples = [Sample(f"set:{i}", Path(f"{i}.png"), text="AB") for i in range(count)]
    labels = LabelSet.of([samples])
    widths = np.random.default_rng(0).integers(50, 300, count)
    return LabelSet(labels.samples, labels.files, labels.ratios, np.array([(width, 48) for width in widths]))


def plan_of(labels: LabelSet, options: DataOptions, shard: Shard = WHOLE):
    return build_loader(labels, options, task="rec", seed=1, training=True, shard=shard).plan


@pytest.mark.parametrize("world", [2, 3, 4])
@pytest.mark.parametrize("sampler", [None, WidthBucketSampler(), MultiScaleSampler(first_bs=2, fix_bs=False)])
def test_training_shards_are_together_the_batches_of_one_process(world: int, sampler: Sampler | None) -> None:
    """37 samples, 2 a process: the last batch divides unequally, or some processes have nothing of it."""
    labels, dataset = labelled(37), DatasetOptions()
    of_one = replace(sampler, first_bs=2 * world) if isinstance(sampler, MultiScaleSampler) else sampler
    one = plan_of(labels, DataOptions(dataset, LoaderOptions(2 * world, shuffle=True), of_one))
    options = DataOptions(dataset, LoaderOptions(2, shuffle=True), sampler)
    shards = [plan_of(labels, options, Shard(rank, world)) for rank in range(world)]
    assert {len(shard) for shard in shards} == {len(one)}
    for epoch in range(2):
        parts = list(zip(*(shard.batches(epoch) for shard in shards), strict=True))
        assert [[draw for own in part for draw in own] for part in parts] == one.batches(
            epoch
        )  # indices, serials and sizes
        sizes = [[len(own) for own in part] for part in parts]
        assert all(max(size) - min(size) <= 1 for size in sizes)


def test_evaluation_shards_hold_each_batch_once() -> None:
    plan = EvaluationPlan(labelled(37), 4, RecPreprocess((3, 48, 320)))
    shards = [EvaluationShard(plan, Shard(rank, 3)) for rank in range(3)]
    batches = [batch for shard in shards for batch in shard.batches(0)]
    assert sorted(map(repr, batches)) == sorted(map(repr, plan.batches(0)))
    assert max(map(len, shards)) - min(map(len, shards)) <= 1


@pytest.mark.parametrize("collate", [CollateTraining(), AsArrays(CollateTraining())])
def test_a_shard_without_samples_is_an_empty_batch(collate) -> None:
    assert len(as_tensors(collate([]))) == 0
