"""Label files or archives of a config as one set of samples, with the share of each that an epoch draws."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ocrtune.config.data_schema import ARCHIVES, DatasetOptions
from ocrtune.core.errors import ConfigError, DataError, Problem
from ocrtune.core.records import Sample
from ocrtune.data import lmdb_set
from ocrtune.data.formats import paddle_det, paddle_rec
from ocrtune.data.holdout import split_holdout
from ocrtune.data.image_file import image_size
from ocrtune.data.mixing import evenly_spread, ratios_of_mix
from ocrtune.data.tar_shards import index as tar_index
from ocrtune.data.tar_shards import labels as tar_labels

Task = Literal["det", "rec"]

_READERS: dict[str, Callable[[Path, Path], list[Sample]]] = {
    "det": paddle_det.read_labels,
    "rec": paddle_rec.read_labels,
}


@dataclass(frozen=True)
class LabelSet:
    """Samples of several label files or archives; "file" means either.

    samples: all of them, file after file. files: for each file the half-open range of its samples.
    ratios: per file, how many of its samples one epoch draws, as a share; above 1 draws samples repeatedly.
    sizes: (N, 2) width and height of each image in pixels, once they are known (see ``with_sizes``).
    names: of the files, for messages; may be empty. per_batch: every batch has the shares that the epoch draws.
    """

    samples: tuple[Sample, ...]
    files: tuple[tuple[int, int], ...]
    ratios: tuple[float, ...]
    sizes: NDArray[np.int64] | None = field(default=None, compare=False, repr=False)
    names: tuple[str, ...] = ()
    per_batch: bool = False

    @classmethod
    def of(cls, groups: Sequence[Sequence[Sample]], ratios: Sequence[float] | None = None) -> LabelSet:
        """From one list of samples per file; the ratio defaults to 1."""
        ends = np.cumsum([len(group) for group in groups]).tolist()
        files = tuple(zip([0, *ends[:-1]], ends))
        samples = tuple(sample for group in groups for sample in group)
        return cls(samples, files, tuple(ratios) if ratios is not None else (1.0,) * len(files))

    def with_sizes(self) -> LabelSet:
        """The same set, the size of every image read from its header; one DataError for all images without one."""
        if self.sizes is not None:
            return self
        problems: list[Problem | str] = []
        sizes = np.ones((len(self.samples), 2), np.int64)
        for i, sample in enumerate(self.samples):
            try:
                sizes[i] = image_size(sample.image_path, sample.source)
            except DataError as error:
                problems += error.problems
        if problems:
            raise DataError(problems)
        return replace(self, sizes=sizes)

    def __len__(self) -> int:
        return len(self.samples)

    def epoch_size(self) -> int:
        """Samples that one epoch draws."""
        return sum(drawn for drawn, _ in self.epoch_counts())

    def epoch_counts(self) -> list[tuple[int, int]]:
        """Per file, how many samples one epoch draws of how many."""
        return [(round((end - start) * ratio), end - start) for (start, end), ratio in zip(self.files, self.ratios)]

    def draw(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Indices into ``samples`` for one epoch, file after file, unshuffled.

        Of a file with n samples and ratio r, ``round(n * r)`` (Python's rounding, halves to even) are drawn: without
        replacement below 1; above 1 every sample ``int(r)`` times and the rest without replacement.
        Source: PaddleOCR ppocr/data/simple_dataset.py ``get_image_info_list`` at 79f652f5, which refuses r > 1.
        """
        parts = []
        for (start, end), ratio in zip(self.files, self.ratios):
            copies, rest = divmod(round((end - start) * ratio), max(end - start, 1))
            parts += [np.arange(start, end)] * copies
            parts.append(np.sort(start + rng.permutation(end - start)[:rest]))
        return np.concatenate(parts).astype(np.int64) if parts else np.zeros(0, np.int64)

    def order(self, rng: np.random.Generator, shuffle: bool = True) -> NDArray[np.int64]:
        """What :meth:`draw` gives, in the order in which batches take it."""
        drawn = self.draw(rng)
        if shuffle:
            drawn = rng.permutation(drawn)
        return drawn[self.mixed(drawn)]

    def mixed(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Places of ``indices`` in the order that mixes the files evenly where ``per_batch``, else as they are.

        The samples of each file keep their order.
        """
        if not self.per_batch:
            return np.arange(len(indices))
        ends = [end for _, end in self.files]
        return evenly_spread(np.searchsorted(ends, indices, side="right"))

    def regrouped(self, groups: Sequence[Sequence[Sample]]) -> LabelSet:
        """Other samples, a list per file, drawn and mixed as these are."""
        return replace(LabelSet.of(groups, self.ratios), names=self.names, per_batch=self.per_batch)

    def without(self, indices: Collection[int]) -> LabelSet:
        """The same set without the samples at ``indices``."""
        dropped = set(indices)
        kept = [[i for i in range(start, end) if i not in dropped] for start, end in self.files]
        result = self.regrouped([[self.samples[i] for i in group] for group in kept])
        if self.sizes is None:
            return result
        return replace(result, sizes=self.sizes[[i for group in kept for i in group]])


def read_label_set(options: DatasetOptions, task: Task, section: str = "Train") -> LabelSet:
    """Read every label file, or archive, of ``options``; all problems of all of them are raised together as one
    DataError. Raises ConfigError where there are none, or not those that ``mix`` or ``ratio_list`` speak of."""
    sources = _sources(options, task, f"{section}.dataset")
    problems: list[Problem | str] = []
    groups = []
    for source in sources:
        try:
            groups.append(source.read())
        except DataError as error:
            problems += error.problems
    if problems:
        raise DataError(problems)
    ratios = options.ratio_list if len(options.ratio_list) == len(sources) else options.ratio_list[:1] * len(sources)
    if options.mix:
        ratios = ratios_of_mix([len(group) for group in groups], [options.mix[source.key] for source in sources])
    names = tuple(source.name for source in sources)
    return replace(LabelSet.of(groups, ratios or None), names=names, per_batch=options.mix_per_batch)


class _Source(NamedTuple):
    """A label file or archive. key: what ``mix`` calls it. name: for messages."""

    key: str
    name: str
    read: Callable[[], list[Sample]]


def _sources(options: DatasetOptions, task: Task, where: str) -> list[_Source]:
    if options.name not in ARCHIVES:
        if not options.label_file_list:
            raise ConfigError(Problem(f"{where}.label_file_list", "no label file is given"))
        reader, folder = _READERS[task], options.data_dir
        return [_Source(path.stem, path.name, partial(reader, path, folder)) for path in options.label_file_list]
    if options.name == "LMDBDataSet":
        marker, read = lmdb_set.DATA_FILE, lmdb_set.read_samples
    else:
        marker, read = tar_index.SHARDS, partial(tar_labels.read_samples, task=task)
    found = _folders_with(marker, options.data_dir)
    if not found:
        what = f"no {marker} in {options.data_dir} or below it"
        raise ConfigError(Problem(f"{where}.data_dir", what, "'ocrtune pack' writes a TarDataSet"))
    _check_archives(options, [name for name, _ in found], where)
    return [_Source(name, name, partial(read, folder)) for name, folder in found]


def _folders_with(marker: str, top: Path) -> list[tuple[str, Path]]:
    """(path below ``top``, or its own name, with slashes; the folder) of each that holds a file like ``marker``."""
    folders = sorted({path.parent for path in top.rglob(marker) if path.is_file() and not path.name.startswith(".")})
    return [(folder.relative_to(top).as_posix() if folder != top else top.name, folder) for folder in folders]


def _check_archives(options: DatasetOptions, names: Sequence[str], where: str) -> None:
    """What the config says of archives one by one, against those that there are."""
    listed = f"in {options.data_dir} there are {len(names)}: {', '.join(names)}"
    if options.mix and sorted(options.mix) != sorted(names):
        raise ConfigError(Problem(f"{where}.mix", f"it names {', '.join(options.mix)}, but {listed}"))
    if len(options.ratio_list) not in (0, 1, len(names)):
        raise ConfigError(Problem(f"{where}.ratio_list", f"{len(options.ratio_list)} ratios, but {listed}"))
    if options.mix_per_batch and len(names) < 2:
        raise ConfigError(Problem(f"{where}.mix_per_batch", f"it mixes several archives, but {listed}"))


def read_splits(train: DatasetOptions, evaluation: DatasetOptions, task: Task, seed: int) -> tuple[LabelSet, LabelSet]:
    """(training, evaluation) sets; evaluation has its own samples or, with ``holdout``, a share of the training
    files that training then lacks. Raises ConfigError when neither is given, DataError for bad labels."""
    training = read_label_set(train, task)
    if evaluation.has_samples:
        return training, one_image_each(_drawn_once(read_label_set(evaluation, task, "Eval"), seed))
    if evaluation.holdout is None:
        where = "Eval.dataset.label_file_list"
        raise ConfigError(Problem(where, "no label file is given", "name one, or set Eval.dataset.holdout: 0.1"))
    kept, held = [], []
    for start, end in training.files:
        if end - start < 2:
            what = f"{end - start} line cannot be split"
            raise DataError(Problem(training.samples[start].source, what, "Eval.dataset.holdout needs more"))
        part = split_holdout(training.samples[start:end], evaluation.holdout, seed)
        kept.append(part[0])
        held.append(part[1])
    return training.regrouped(kept), one_image_each(LabelSet.of(held))


def one_image_each(labels: LabelSet) -> LabelSet:
    """A line that names several images becomes that many samples, so that evaluation sees each image once."""
    groups = []
    for start, end in labels.files:
        group = []
        for sample in labels.samples[start:end]:
            images = (sample.image_path, *sample.alternatives)
            group += [replace(sample, image_path=image, alternatives=()) for image in images]
        groups.append(group)
    return labels.regrouped(groups)


def _drawn_once(labels: LabelSet, seed: int) -> LabelSet:
    """Evaluation with a ratio below 1: one draw, kept for the whole run."""
    if all(ratio == 1 for ratio in labels.ratios):
        return labels
    chosen = labels.draw(np.random.default_rng(seed))
    return LabelSet.of([[labels.samples[i] for i in chosen]])
