"""Which samples make up which batch, epoch by epoch.

Every plan depends on (seed, epoch) alone. The number of batches is the same in every epoch, so that learning-rate
schedules can count on it.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ocrtune.codec.image import DetPreprocess, RecPreprocess, padded_size, width_batches
from ocrtune.config.data_schema import LoaderOptions, MultiScaleSampler, WidthBucketSampler
from ocrtune.data.dataset import Draw
from ocrtune.data.item import Frame
from ocrtune.data.labels import LabelSet

_WIDTH_JITTER = 0.1  # relative noise on the widths that are sorted, so that batches are not alike in every epoch
_SAMPLING = 1  # keeps the random stream of plans apart from that of the items


class BatchPlan(Protocol):
    """The batches of an epoch."""

    def __len__(self) -> int: ...

    def batches(self, epoch: int) -> list[list[Draw]]: ...


@dataclass(frozen=True)
class PlainPlan:
    """Batches of one size in (shuffled) order."""

    labels: LabelSet
    options: LoaderOptions
    seed: int

    def __len__(self) -> int:
        return _batch_count(self.labels.epoch_size(), self.options.batch_size_per_card, self.options.drop_last)

    def batches(self, epoch: int) -> list[list[Draw]]:
        rng = plan_rng(self.seed, epoch)
        order = self.labels.order(rng, self.options.shuffle)
        size = self.options.batch_size_per_card
        draws = [Draw(int(index), serial, epoch) for serial, index in enumerate(order)]
        return [draws[i * size : (i + 1) * size] for i in range(len(self))]


@dataclass(frozen=True)
class WidthBucketPlan:
    """Batches of crops of about equal width: sorted by a slightly noisy width, cut, and put in random order.

    Where every batch has the shares of the files, the n-th widest of one file meets the n-th widest of the others.
    height: pixels of the tensor. width_per_step: pixels per output step of the network; a tensor is never narrower
    than CTC needs for its text.
    """

    labels: LabelSet
    options: LoaderOptions
    sampler: WidthBucketSampler
    seed: int
    height: int
    width_per_step: int

    def __len__(self) -> int:
        return _batch_count(self.labels.epoch_size(), self.options.batch_size_per_card, self.options.drop_last)

    def batches(self, epoch: int) -> list[list[Draw]]:
        rng = plan_rng(self.seed, epoch)
        order = self.labels.order(rng)
        size = self.options.batch_size_per_card
        if self.options.drop_last:
            order = order[: len(self) * size]
        widths = self._widths()[order]
        noisy = widths * np.exp(rng.normal(0, _WIDTH_JITTER, len(order)))
        ranks = np.argsort(noisy, kind="stable")
        ranks = ranks[self.labels.mixed(order[ranks])]
        groups = _cut(ranks, size, rng)
        rng.shuffle(groups)
        plan, serial = [], 0
        for group in groups:
            padded = self.sampler.padded_share > 0 and rng.random() < self.sampler.padded_share
            least = self.sampler.padded_width if padded else self.sampler.min_width
            frame = self._frame(max(float(widths[group].max()), least))
            plan.append([Draw(int(order[rank]), serial + i, epoch, frame) for i, rank in enumerate(group)])
            serial += len(group)
        return plan

    def _widths(self) -> NDArray[np.float64]:
        assert self.labels.sizes is not None
        natural = self.height * self.labels.sizes[:, 0] / self.labels.sizes[:, 1]
        steps = np.array([ctc_steps(sample.text or "") for sample in self.labels.samples])
        return np.asarray(np.maximum(natural, steps * self.width_per_step), np.float64)

    def _frame(self, widest: float) -> Frame:
        step = self.sampler.width_step
        width = int(-(-widest // step) * step)
        width = min(width, self.sampler.max_width)
        return Frame(self.height, width, self.sampler.max_width)


@dataclass(frozen=True)
class MultiScalePlan:
    """PaddleOCR's multi-scale batches, drawn anew each epoch.

    Scales take turns until every sample has a place, in random order. Source: PaddleOCR
    ppocr/data/multi_scale_sampler.py at 79f652f5, which keeps samples and scales together for the whole run and fills
    the last batch with samples it has already used.
    """

    labels: LabelSet
    options: LoaderOptions
    sampler: MultiScaleSampler
    seed: int

    def __len__(self) -> int:
        return len(self._scales())

    def batches(self, epoch: int) -> list[list[Draw]]:
        rng = plan_rng(self.seed, epoch)
        order = self.labels.order(rng).tolist()
        scales = self._scales()
        draws, start = [], 0
        for i in rng.permutation(len(scales)):
            width, height, size = scales[int(i)]
            frame = Frame(height, width, width)
            chosen = enumerate(order[start : start + size], start=start)
            draws.append([Draw(index, serial, epoch, frame) for serial, index in chosen])
            start += size
        return draws

    def _scales(self) -> list[tuple[int, int, int]]:
        """(width, height, samples) of every batch of an epoch."""
        scales = scale_sizes(self.sampler)
        left = self.labels.epoch_size()
        result: list[tuple[int, int, int]] = []
        while left > 0:
            width, height, size = scales[len(result) % len(scales)]
            if size > left and self.options.drop_last:
                break
            result.append((width, height, min(size, left)))
            left -= size
        return result


@dataclass(frozen=True)
class EvaluationPlan:
    """Every sample once; a batch holds tensors of one size only."""

    labels: LabelSet
    batch_size: int
    preprocess: DetPreprocess | RecPreprocess

    def __len__(self) -> int:
        return len(self.batches(0))

    def batches(self, epoch: int) -> list[list[Draw]]:
        if isinstance(self.preprocess, DetPreprocess) and self.batch_size == 1:
            groups = [[i] for i in range(len(self.labels))]
        else:
            groups = width_batches(self._sizes(self.preprocess), self.batch_size)
        return [[Draw(index, index, epoch) for index in group] for group in groups]

    def _sizes(self, preprocess: DetPreprocess | RecPreprocess) -> Sequence[int]:
        """A number per image that is equal for equal tensor sizes."""
        assert self.labels.sizes is not None
        if isinstance(preprocess, DetPreprocess):
            shapes = [preprocess.size(*padded_size(int(h), int(w))) for w, h in self.labels.sizes]
            return [height * 100_000 + width for height, width in shapes]
        blanks = [np.broadcast_to(np.uint8(0), (int(h), int(w), 3)) for w, h in self.labels.sizes]
        return [preprocess.width(blank) for blank in blanks]


def plan_rng(seed: int, epoch: int) -> np.random.Generator:
    """The random numbers of an epoch's plan."""
    return np.random.default_rng([seed, epoch, 0, _SAMPLING])


def ctc_steps(text: str) -> int:
    """Fewest output steps that can spell ``text``: one per character and one blank between equal neighbours."""
    return len(text) + sum(first == second for first, second in itertools.pairwise(text))


def scale_sizes(sampler: MultiScaleSampler) -> list[tuple[int, int, int]]:
    """(width, height, batch size) of each scale."""
    if not sampler.is_training:
        (width, height), *_ = sampler.scales
        return [(width, height, sampler.first_bs)]
    pixels = sampler.scales[0][0] * sampler.scales[0][1] * sampler.first_bs
    x_step, y_step = sampler.divided_factor
    rounded = [(width // x_step * x_step, height // y_step * y_step) for width, height in sampler.scales]
    sizes = [sampler.first_bs if sampler.fix_bs else max(1, int(pixels / (w * h))) for w, h in rounded]
    return [(w, h, size) for (w, h), size in zip(rounded, sizes)]


def _batch_count(samples: int, size: int, drop_last: bool) -> int:
    return samples // size if drop_last else -(-samples // size)


def _cut(ranks: NDArray[np.int64], size: int, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """Slices of ``size``, one of them (anywhere) smaller when the samples do not divide evenly."""
    count = -(-len(ranks) // size)
    if count == 0:
        return []
    sizes = np.full(count, size)
    sizes[rng.integers(count)] -= count * size - len(ranks)
    return np.split(ranks, np.cumsum(sizes)[:-1])
