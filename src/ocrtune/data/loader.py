"""Label set + options -> an iterable of batches, prepared by worker processes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import cv2
import torch
from torch.utils.data import DataLoader

from ocrtune.codec.image import DetPreprocess, RecPreprocess
from ocrtune.config.data_schema import DataOptions, MultiScaleSampler, WidthBucketSampler
from ocrtune.core.charset import Charset
from ocrtune.core.errors import ConfigError, DataError, Problem
from ocrtune.core.malloc import keep_some_memory
from ocrtune.core.records import Batch
from ocrtune.data.collate import AsArrays, CollateEvaluation, CollateTraining, as_tensors
from ocrtune.data.dataset import Draw, EvaluationDataset, TrainingDataset
from ocrtune.data.item import Context, Frame, Spelled
from ocrtune.data.kept_images import KeptImages, room_for
from ocrtune.data.labels import LabelSet
from ocrtune.data.pipeline import build_transforms
from ocrtune.data.preprocess import preprocess_of
from ocrtune.data.sampler import BatchPlan, EvaluationPlan, MultiScalePlan, PlainPlan, WidthBucketPlan
from ocrtune.data.shard import WHOLE, EvaluationShard, Shard, TrainingShard
from ocrtune.data.transforms.rec_resize_img import FixedHeight

_DEFAULT_HEIGHT = 48
_ENOUGH = 2**30


class Loader:
    """Batches of one epoch at a time; call ``set_epoch`` before each. Worker processes live as long as the loader."""

    def __init__(
        self,
        dataset: TrainingDataset | EvaluationDataset,
        plan: BatchPlan,
        collate: CollateTraining | CollateEvaluation,
        num_workers: int,
    ):
        self.plan = plan
        self._order = _Order(plan)
        self._loader: DataLoader[Any] = DataLoader(
            dataset,
            batch_sampler=self._order,
            num_workers=num_workers,
            collate_fn=AsArrays(collate) if num_workers and _shared_memory() < _ENOUGH else collate,
            persistent_workers=num_workers > 0,
            worker_init_fn=start_worker if num_workers else None,
        )

    def __len__(self) -> int:
        """Batches of an epoch, the same in every epoch."""
        return len(self.plan)

    @property
    def cache_gib(self) -> float:
        """GiB of memory for decoded images that stay for the next epochs."""
        kept = getattr(self._loader.dataset, "kept", None)
        return kept.room / 2**30 if kept is not None else 0.0

    def set_epoch(self, epoch: int) -> None:
        """0-based; decides samples, order and augmentation of the next iteration."""
        self._order.epoch = epoch

    def largest(self, count: int) -> Batch:
        """Up to ``count`` samples of the first epoch at the largest size that its plan has, prepared in this process.

        Raises DataError as iterating does.
        """
        draws = [draw for batch in self.plan.batches(0) for draw in batch]
        widest = max((draw.frame for draw in draws if draw.frame is not None), key=_area, default=None)
        chosen = [draw for draw in draws if draw.frame == widest][:count]
        batch = self._loader.collate_fn([self._loader.dataset[draw] for draw in chosen])
        if isinstance(batch, DataError):
            raise batch
        return as_tensors(batch)

    def __iter__(self) -> Iterator[Batch]:
        """Raises DataError, naming ``file:line``, when a sample cannot be prepared."""
        for batch in self._loader:
            if isinstance(batch, DataError):
                raise batch
            yield as_tensors(batch)


def build_loader(
    labels: LabelSet,
    options: DataOptions,
    *,
    task: Literal["det", "rec"],
    seed: int,
    training: bool,
    charset: Charset | None = None,
    max_text_length: int = 25,
    preprocess: DetPreprocess | RecPreprocess | None = None,
    width_per_step: int = 8,
    shard: Shard = WHOLE,
    spelled: Mapping[str, Spelled] | None = None,
) -> Loader:
    """A loader over ``labels`` as a ``Train`` (training) or ``Eval`` section describes it.

    Training batches hold targets; evaluation batches hold every sample exactly once, whatever ``drop_last`` says, with
    tensors of one size per batch made by ``preprocess`` (default: the section's own transforms).
    charset: recognition only. width_per_step: pixels of input width per output step of the recognition network.
    spelled: what RecCutMix needs to know of the lines.
    shard: which part of each training batch, and which of the evaluation batches, this process gets.
    Raises ConfigError for sections that do not fit together, DataError for images without a readable size.
    """
    if not len(labels):
        raise DataError(Problem("Train" if training else "Eval", "no sample is left to work on"))
    if not training:
        return _evaluation_loader(labels, options, preprocess or preprocess_of(options.dataset.transforms), shard)
    plan = _training_plan(labels, shard.whole(options), task, seed, width_per_step)
    if not len(plan):
        count = f"{labels.epoch_size()} samples are fewer than one batch, and drop_last leaves none"
        raise ConfigError(Problem("Train.loader.drop_last", count, "lower batch_size_per_card or set drop_last: false"))
    dataset = training_dataset(labels, options, Context(charset, max_text_length, spelled or {}), seed)
    step = options.sampler.width_step if isinstance(options.sampler, WidthBucketSampler) else 1
    if shard.world > 1:
        plan = TrainingShard(plan, shard)
    return Loader(dataset, plan, CollateTraining(step), options.loader.num_workers)


def training_dataset(labels: LabelSet, options: DataOptions, context: Context, seed: int) -> TrainingDataset:
    """The samples of ``labels`` as the transforms of a ``Train`` section prepare them."""
    transforms = build_transforms(options.dataset.transforms, context)
    images = (image for sample in labels.samples for image in (sample.image_path, *sample.alternatives))
    kept = KeptImages(images, room_for(options.loader.cache_images))
    return TrainingDataset(labels.samples, transforms, options.dataset.ext_op_transform_idx, seed, kept)


def _training_plan(
    labels: LabelSet, options: DataOptions, task: Literal["det", "rec"], seed: int, width_per_step: int
) -> BatchPlan:
    sampler = options.sampler
    if sampler is None:
        return PlainPlan(labels, options.loader, seed)
    if task == "det":
        raise ConfigError(Problem("Train.sampler", f"{sampler.name} is for recognition", "remove it"))
    if isinstance(sampler, MultiScaleSampler):
        return MultiScalePlan(labels, options.loader, sampler, seed)
    height = _tensor_height(options)
    return WidthBucketPlan(labels.with_sizes(), options.loader, sampler, seed, height, width_per_step)


def _tensor_height(options: DataOptions) -> int:
    shapes = [c.options.image_shape for c in options.dataset.transforms if isinstance(c.options, FixedHeight)]
    return shapes[0][1] if shapes else _DEFAULT_HEIGHT


def _evaluation_loader(
    labels: LabelSet, options: DataOptions, preprocess: DetPreprocess | RecPreprocess, shard: Shard
) -> Loader:
    size = options.loader.batch_size_per_card
    if isinstance(preprocess, RecPreprocess) or size > 1:
        labels = labels.with_sizes()
    plan: BatchPlan = EvaluationPlan(labels, size, preprocess)
    if shard.world > 1:
        plan = EvaluationShard(plan, shard)
    dataset = EvaluationDataset(labels.samples, preprocess)
    return Loader(dataset, plan, CollateEvaluation(), options.loader.num_workers)


def _area(frame: Frame) -> int:
    return frame.height * frame.min_width


class _Order:
    """torch's view of a plan: iterating gives the batches of the present epoch."""

    def __init__(self, plan: BatchPlan):
        self.plan = plan
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.plan)

    def __iter__(self) -> Iterator[list[Draw]]:
        return iter(self.plan.batches(self.epoch))


def _shared_memory() -> float:
    """Bytes of shared memory that workers can pass tensors through; containers often have 64 MiB and then crash."""
    folder = Path("/dev/shm")
    return shutil.disk_usage(folder).total if folder.is_dir() else float("inf")


def start_worker(worker: int) -> None:
    """One thread per worker, the workers themselves are the parallelism; memory stays with the process."""
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    keep_some_memory()
