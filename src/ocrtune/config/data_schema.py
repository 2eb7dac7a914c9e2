"""The sections ``Train`` and ``Eval``: which labels, which transforms, how they are batched."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ocrtune.config.component import Component
from ocrtune.core.errors import did_you_mean
from ocrtune.core.options import Findings, ignored, parse_fields

ARCHIVES = ("LMDBDataSet", "TarDataSet")  # data sets whose images and labels are in archives below data_dir


@dataclass(frozen=True)
class DatasetOptions:
    """Section ``dataset``.

    name: PaddleOCR's four names (TextDetDataset is its other name for SimpleDataSet; LMDBDataSet is for recognition),
    and TarDataSet, (extension) the shards that ``ocrtune pack`` writes.
    data_dir: folder that the image paths of the label files start from. Of the ARCHIVES, the folder that is one, or
    that holds several in sub-folders; they count as the label files do, in the order of their paths.
    label_file_list: label files; a single path is accepted. Empty only in ``Eval`` with ``holdout``, and of ARCHIVES.
    ratio_list: share of each file drawn afresh for each epoch, above 1 repeatedly; one number counts for all files.
    mix: (extension) instead of ratios, the parts of an epoch by the label files' names: ``{vertical: 1, general: 1}``
    for vertical.txt and general.txt draws all of the first file and as many of the second, repeatedly if it has fewer.
    Archives go by the paths of their folders below data_dir.
    mix_per_batch: (extension, ``Train`` only) every batch, not only the epoch, has the shares that the epoch draws.
    transforms: in order. holdout: (extension, ``Eval`` only) without label files of its own, the share of the
    training samples that is kept away from training and evaluated on.
    ext_op_transform_idx: the first so many transforms prepare the extra samples that RecConAug or CopyPaste ask for.
    """

    name: Literal["SimpleDataSet", "MultiScaleDataSet", "TextDetDataset", "LMDBDataSet", "TarDataSet"] = "SimpleDataSet"
    data_dir: Path = Path(".")
    label_file_list: tuple[Path, ...] = ()
    ratio_list: tuple[float, ...] = ()
    mix: dict[str, float] = field(default_factory=dict)
    mix_per_batch: bool = False
    transforms: tuple[Component, ...] = ()
    holdout: float | None = None
    ext_op_transform_idx: int = 2
    ds_width: Any = ignored("WidthBucketSampler groups crops by width")

    @classmethod
    def parse(cls, raw: Any, where: str, findings: Findings) -> DatasetOptions | None:
        """Accept one label file and one ratio where lists are expected; see the class for the result."""
        if isinstance(raw, Mapping):
            raw = dict(raw)
            if isinstance(raw.get("label_file_list"), str):
                raw["label_file_list"] = [raw["label_file_list"]]
            if raw.get("name") in ARCHIVES and raw.pop("label_file_list", None):
                findings.notice(f"{where}.label_file_list", f"not used: {raw['name']} has the labels in data_dir")
            files = raw.get("label_file_list")
            count = len(files) if isinstance(files, list) else int(raw.get("name") in ARCHIVES)
            ratio = raw.get("ratio_list", 1.0)
            if isinstance(ratio, list) and len(ratio) == 1:
                [ratio] = ratio
            if not isinstance(ratio, list) and ratio is not None:
                raw["ratio_list"] = [ratio] * count
            for key in ("label_file_list", "ratio_list", "transforms"):
                if key in raw and raw[key] is None:
                    del raw[key]
        return parse_fields(cls, raw, where, findings)

    @property
    def has_samples(self) -> bool:
        """Whether it says where samples are; ``Eval`` without takes those of ``holdout``."""
        return self.data_dir != Path(".") if self.name in ARCHIVES else bool(self.label_file_list)

    def __post_init__(self) -> None:
        if self.name not in ARCHIVES and len(self.ratio_list) != len(self.label_file_list):
            counts = f"{len(self.ratio_list)} ratios for {len(self.label_file_list)} label files"
            raise ValueError(f"ratio_list has {counts}")
        if any(ratio <= 0 for ratio in self.ratio_list):
            raise ValueError("ratio_list takes numbers above 0; above 1 draws samples several times")
        if self.mix:
            self._check_mix()
        if self.mix_per_batch and self.name not in ARCHIVES and len(self.label_file_list) < 2:
            raise ValueError("mix_per_batch mixes several label files, here is one")
        if self.holdout is not None and not 0 < self.holdout < 1:
            raise ValueError(f"holdout is {self.holdout}, expected a share between 0 and 1")

    def _check_mix(self) -> None:
        names = [path.stem for path in self.label_file_list]
        if self.name not in ARCHIVES and sorted(names) != sorted(self.mix):
            raise ValueError(f"mix names {', '.join(self.mix)}, but the label files are {', '.join(names)}")
        if set(self.ratio_list) - {1.0}:
            raise ValueError("give either mix or ratio_list")
        if min(self.mix.values()) <= 0:
            raise ValueError("mix takes numbers above 0; leave a label file out to draw nothing from it")


@dataclass(frozen=True)
class MultiScaleSampler:
    """PaddleOCR's sampler of v4 to v6 recognition: each batch has one of several sizes.

    scales: (width, height) pixels. first_bs: batch size at the first scale; with ``fix_bs`` false, larger
    scales get smaller batches, so that the pixels of a batch stay about equal.
    divided_factor: widths and heights are multiples of (width, height) of it. is_training: False uses the first scale.
    """

    name: Literal["MultiScaleSampler"] = "MultiScaleSampler"
    scales: tuple[tuple[int, int], ...] = ((320, 32), (320, 48), (320, 64))
    first_bs: int = 128
    fix_bs: bool = True
    divided_factor: tuple[int, int] = (8, 16)
    is_training: bool = True
    ds_width: Any = ignored("WidthBucketSampler groups crops by width")


@dataclass(frozen=True)
class WidthBucketSampler:
    """Extension: batches of crops whose width after resizing to the model's height is about equal.

    width_step: pixels; the tensor is as wide as the widest crop of its bucket, rounded up to this.
    min_width, max_width: bounds of the tensor's width in pixels; only wider crops are squeezed.
    padded_share: of the batches, 0..1, that are padded to at least ``padded_width`` pixels. Evaluation and prediction
    pad short crops to that width, and a network that never saw padding reads them worse.
    """

    name: Literal["WidthBucketSampler"] = "WidthBucketSampler"
    width_step: int = 32
    min_width: int = 64
    max_width: int = 1280
    padded_share: float = 0.0
    padded_width: int = 320

    def __post_init__(self) -> None:
        if not 0 <= self.padded_share <= 1:
            raise ValueError(f"padded_share is {self.padded_share}, expected 0 to 1")
        if self.width_step < 1 or not 0 < self.min_width <= self.max_width:
            raise ValueError("expected width_step >= 1 and 0 < min_width <= max_width")


def says_where(raw: Mapping[str, Any]) -> bool:
    """:attr:`DatasetOptions.has_samples` of a section as it is written."""
    if raw.get("name") in ARCHIVES:
        return isinstance(raw.get("data_dir"), str) and Path(raw["data_dir"]) != Path(".")
    return bool(raw.get("label_file_list"))


Sampler = MultiScaleSampler | WidthBucketSampler
_SAMPLERS = {"MultiScaleSampler": MultiScaleSampler, "WidthBucketSampler": WidthBucketSampler}


@dataclass(frozen=True)
class LoaderOptions:
    """Section ``loader``.

    batch_size_per_card: samples in a batch (of MultiScaleSampler: at its first scale). num_workers: processes that
    read and transform; 0 does it in the training process. drop_last: leave out the last, smaller batch.
    auto_batch: (extension, ``Train`` only) what ``batch_size_per_card: auto`` sets: the run replaces the batch size by
    the largest that fits, see ``training.largest_batch``. cache_images: (extension, ``Train`` only) GiB of memory in
    which decoded images stay for the next epochs; auto: a quarter of the free memory, 0: none.
    """

    batch_size_per_card: int
    shuffle: bool = False
    drop_last: bool = False
    num_workers: int = 2
    auto_batch: bool = False
    cache_images: float | Literal["auto"] = "auto"
    use_shared_memory: Any = ignored("PyTorch's loader always uses it")
    num_sections: Any = ignored("the batch is not cut into sections")
    collate_fn: Any = ignored("the task decides how samples become a batch")

    @classmethod
    def parse(cls, raw: Any, where: str, findings: Findings) -> LoaderOptions | None:
        """Accept ``batch_size_per_card: auto`` in ``Train``."""
        size = raw.get("batch_size_per_card") if isinstance(raw, Mapping) else None
        if not isinstance(size, str):
            return parse_fields(cls, raw, where, findings)
        path = f"{where}.batch_size_per_card"
        if size != "auto":
            findings.problem(path, f"got {size!r}, expected a whole number or auto")
        elif not where.startswith("Train"):
            findings.problem(path, "auto is for Train", "give a number here")
        return parse_fields(cls, {**raw, "batch_size_per_card": 1, "auto_batch": size == "auto"}, where, findings)

    def __post_init__(self) -> None:
        if self.batch_size_per_card < 1:
            raise ValueError(f"batch_size_per_card is {self.batch_size_per_card}, expected at least 1")
        if self.num_workers < 0:
            raise ValueError(f"num_workers is {self.num_workers}, expected 0 or more")
        if self.cache_images != "auto" and not 0 <= self.cache_images < math.inf:
            raise ValueError(f"cache_images is {self.cache_images}, expected GiB, 0 or more, or auto")


@dataclass(frozen=True)
class DataOptions:
    """Section ``Train`` or ``Eval``. sampler: None means plain batches in (shuffled) order."""

    dataset: DatasetOptions
    loader: LoaderOptions
    sampler: Sampler | None = field(default=None)

    @classmethod
    def parse(cls, raw: Any, where: str, findings: Findings) -> DataOptions | None:
        """Read the sampler by its name, the rest key by key."""
        if not isinstance(raw, Mapping) or raw.get("sampler") is None:
            return parse_fields(cls, raw, where, findings)
        sampler = _parse_sampler(raw["sampler"], f"{where}.sampler", findings)
        rest = parse_fields(cls, {k: v for k, v in raw.items() if k != "sampler"}, where, findings)
        return None if rest is None or sampler is None else cls(rest.dataset, rest.loader, sampler)


def _parse_sampler(raw: Any, where: str, findings: Findings) -> Sampler | None:
    name = raw.get("name") if isinstance(raw, Mapping) else None
    if name not in _SAMPLERS:
        findings.problem(where, f"no sampler is called {name!r}", did_you_mean(str(name), _SAMPLERS))
        return None
    sampler: Sampler | None = parse_fields(_SAMPLERS[name], raw, where, findings)
    return sampler
