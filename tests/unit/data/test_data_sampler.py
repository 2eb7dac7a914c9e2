"""Plans: which samples, in which batches, at which size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ocrtune.codec.image import DetPreprocess, RecPreprocess
from ocrtune.config.data_schema import LoaderOptions, MultiScaleSampler, WidthBucketSampler
from ocrtune.core.records import Sample
from ocrtune.data.item import Frame
from ocrtune.data.labels import LabelSet
from ocrtune.data.sampler import (
    BatchPlan,
    EvaluationPlan,
    MultiScalePlan,
    PlainPlan,
    WidthBucketPlan,
    ctc_steps,
    scale_sizes,
)


def labelled(widths: list[int], height: int = 48, text: str = "AB", ratio: float = 1.0) -> LabelSet:
    samples = [Sample(f"set:{i}", Path(f"{i}.png"), text=text) for i in range(len(widths))]
    labels = LabelSet.of([samples], [ratio])
    return LabelSet(labels.samples, labels.files, labels.ratios, np.array([(width, height) for width in widths]))


def order(plan: BatchPlan, epoch: int) -> list[list[int]]:
    return [[draw.index for draw in batch] for batch in plan.batches(epoch)]


def check_epochs(plan: BatchPlan, samples: int) -> None:
    """Every sample once per epoch, serials without gaps, epochs that differ but repeat themselves."""
    for epoch in range(3):
        batches = plan.batches(epoch)
        assert len(batches) == len(plan)
        assert sorted(draw.index for batch in batches for draw in batch) == list(range(samples))
        assert sorted(draw.serial for batch in batches for draw in batch) == list(range(samples))
        assert {draw.epoch for batch in batches for draw in batch} == {epoch}
        assert all(len({draw.frame for draw in batch}) == 1 for batch in batches)
        assert order(plan, epoch) == order(plan, epoch)
    assert order(plan, 0) != order(plan, 1)


def test_plain_plan() -> None:
    labels = labelled([50] * 10)
    check_epochs(PlainPlan(labels, LoaderOptions(4, shuffle=True), 1), 10)
    still = PlainPlan(labels, LoaderOptions(4), 1)
    assert order(still, 0) == order(still, 1) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert [len(batch) for batch in order(PlainPlan(labels, LoaderOptions(4, drop_last=True), 1), 0)] == [4, 4]
    assert order(PlainPlan(labels, LoaderOptions(4, shuffle=True), 2), 0) != order(
        PlainPlan(labels, LoaderOptions(4, shuffle=True), 1), 0
    )


def test_width_buckets_group_widths_and_lose_nothing() -> None:
    widths = np.random.default_rng(0).integers(40, 600, 203).tolist()
    labels = labelled(widths)
    plan = WidthBucketPlan(labels, LoaderOptions(16), WidthBucketSampler(), 1, 48, 8)
    check_epochs(plan, 203)
    padded = frames = 0
    sizes = []
    for batch in plan.batches(0):
        frame = batch[0].frame
        assert frame is not None
        widest = max(widths[draw.index] for draw in batch)
        assert frame == Frame(48, max(-(-widest // 32) * 32, 64), 1280)
        padded += frame.min_width * len(batch)
        frames += sum(widths[draw.index] for draw in batch)
        sizes.append(len(batch))
    assert padded / frames < 1.35  # padding each crop to the widest of a random batch would give about 1.8
    assert sorted(sizes)[:2] == [11, 16]


def test_width_buckets_place_the_small_batch_anywhere() -> None:
    labels = labelled(list(range(40, 240)))
    plan = WidthBucketPlan(labels, LoaderOptions(30), WidthBucketSampler(), 1, 48, 8)
    small = [next(b for b in plan.batches(epoch) if len(b) == 20)[0].frame for epoch in range(12)]
    assert len({frame.min_width for frame in small if frame}) > 2
    dropping = WidthBucketPlan(labels, LoaderOptions(30, drop_last=True), WidthBucketSampler(), 1, 48, 8)
    assert {len(batch) for batch in dropping.batches(0)} == {30}
    left_out = [set(range(200)) - {i for batch in order(dropping, epoch) for i in batch} for epoch in range(4)]
    assert all(len(out) == 20 and max(out) > 100 > min(out) for out in left_out)


def test_width_buckets_pad_a_share_of_the_batches_like_evaluation() -> None:
    widths = np.random.default_rng(0).integers(40, 250, 1000).tolist()
    sampler = WidthBucketSampler(padded_share=0.3)
    plan = WidthBucketPlan(labelled(widths), LoaderOptions(5), sampler, 1, 48, 8)
    check_epochs(plan, 1000)
    short = [batch for batch in plan.batches(0) if max(widths[draw.index] for draw in batch) <= 256]
    padded = sum(batch[0].frame == Frame(48, 320, 1280) for batch in short)
    assert len(short) > 150
    assert 0.2 < padded / len(short) < 0.4
    wide = WidthBucketPlan(labelled([900]), LoaderOptions(1), WidthBucketSampler(padded_share=1.0), 1, 48, 8)
    assert wide.batches(0)[0][0].frame == Frame(48, 928, 1280)


def test_width_buckets_leave_room_for_ctc() -> None:
    labels = labelled([30] * 8, text="AABBCC")  # 9 steps of 8 pixels
    [batch] = WidthBucketPlan(labels, LoaderOptions(8), WidthBucketSampler(min_width=8), 1, 48, 8).batches(0)
    assert batch[0].frame == Frame(48, 96, 1280)
    [batch] = WidthBucketPlan(labelled([9000]), LoaderOptions(8), WidthBucketSampler(), 1, 48, 8).batches(0)
    assert batch[0].frame == Frame(48, 1280, 1280)


@pytest.mark.parametrize(("text", "steps"), [("", 0), ("A", 1), ("AB", 2), ("AA", 3), ("AABA", 5)])
def test_ctc_steps(text: str, steps: int) -> None:
    assert ctc_steps(text) == steps


def test_multi_scale_sizes_are_paddleocrs() -> None:
    sampler = MultiScaleSampler(scales=((320, 32), (320, 48), (320, 64)), first_bs=128, fix_bs=False)
    assert scale_sizes(sampler) == [(320, 32, 128), (320, 48, 85), (320, 64, 64)]
    assert scale_sizes(MultiScaleSampler(first_bs=8)) == [(320, 32, 8), (320, 48, 8), (320, 64, 8)]
    odd = MultiScaleSampler(scales=((325, 50),), first_bs=4, divided_factor=(8, 16))
    assert scale_sizes(odd) == [(320, 48, 4)]
    assert scale_sizes(MultiScaleSampler(first_bs=8, is_training=False)) == [(320, 32, 8)]


def test_multi_scale_redraws_samples_and_sizes() -> None:
    labels = labelled([100] * 100)
    sampler = MultiScaleSampler(first_bs=12, fix_bs=False)
    plan = MultiScalePlan(labels, LoaderOptions(12), sampler, 1)
    check_epochs(plan, 100)
    heights: dict[int, set[int]] = {}
    for epoch in range(20):
        for batch in plan.batches(epoch):
            for draw in batch:
                assert draw.frame is not None
                assert draw.frame.min_width == draw.frame.max_width == 320
                heights.setdefault(draw.index, set()).add(draw.frame.height)
    assert all(seen == {32, 48, 64} for seen in heights.values())
    dropping = MultiScalePlan(labels, LoaderOptions(12, drop_last=True), sampler, 1)
    assert len(dropping) == len(plan) - 1
    assert {len(batch) for batch in dropping.batches(0)} <= {12, 8, 6}


def test_ratios_count_in_every_plan() -> None:
    labels = labelled([100] * 50, ratio=0.5)
    for plan in (
        PlainPlan(labels, LoaderOptions(10, shuffle=True), 1),
        WidthBucketPlan(labels, LoaderOptions(10), WidthBucketSampler(), 1, 48, 8),
        MultiScalePlan(labels, LoaderOptions(10), MultiScaleSampler(first_bs=10), 1),
    ):
        first, second = ({i for batch in order(plan, epoch) for i in batch} for epoch in (0, 1))
        assert len(plan) == 3
        assert len(first) == len(second) == 25
        assert first != second


def test_evaluation_plans_hold_every_sample_once() -> None:
    widths = [100, 900, 330, 500, 900, 40, 500, 900]
    plan = EvaluationPlan(labelled(widths), 2, RecPreprocess((3, 48, 320)))
    assert sorted(i for batch in order(plan, 0) for i in batch) == list(range(8))
    assert order(plan, 0) == [[0, 5], [2], [3, 6], [1, 4], [7]]
    pages = EvaluationPlan(labelled([640, 960, 640], 480), 2, DetPreprocess(limit_side_len=960))
    assert order(pages, 0) == [[0, 2], [1]]
    assert order(EvaluationPlan(labelled([640, 960]), 1, DetPreprocess()), 0) == [[0], [1]]
