"""Label files of a config as one set of samples, with the share of each file that an epoch draws."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ocrtune.config.data_schema import DatasetOptions
from ocrtune.core.errors import ConfigError, DataError, Problem
from ocrtune.core.records import Sample
from ocrtune.data.formats import paddle_det, paddle_rec
from ocrtune.data.holdout import split_holdout
from ocrtune.data.image_file import image_size

Task = Literal["det", "rec"]

_READERS: dict[str, Callable[[Path, Path], list[Sample]]] = {
    "det": paddle_det.read_labels,
    "rec": paddle_rec.read_labels,
}


@dataclass(frozen=True)
class LabelSet:
    """Samples of several label files.

    samples: all of them, file after file. files: for each file the half-open range of its samples.
    ratios: per file, how many of its samples one epoch draws, as a share; above 1 draws samples repeatedly.
    sizes: (N, 2) width and height of each image in pixels, once they are known (see ``with_sizes``).
    """

    samples: tuple[Sample, ...]
    files: tuple[tuple[int, int], ...]
    ratios: tuple[float, ...]
    sizes: NDArray[np.int64] | None = field(default=None, compare=False, repr=False)

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

    def without(self, indices: Collection[int]) -> LabelSet:
        """The same set without the samples at ``indices``."""
        dropped = set(indices)
        kept = [[i for i in range(start, end) if i not in dropped] for start, end in self.files]
        result = LabelSet.of([[self.samples[i] for i in group] for group in kept], self.ratios)
        if self.sizes is None:
            return result
        return replace(result, sizes=self.sizes[[i for group in kept for i in group]])


def read_label_set(options: DatasetOptions, task: Task, section: str = "Train") -> LabelSet:
    """Read every label file of ``options``; all problems of all files are raised together as one DataError."""
    if not options.label_file_list:
        raise ConfigError(Problem(f"{section}.dataset.label_file_list", "no label file is given"))
    problems: list[Problem | str] = []
    groups = []
    for path in options.label_file_list:
        try:
            groups.append(_READERS[task](path, options.data_dir))
        except DataError as error:
            problems += error.problems
    if problems:
        raise DataError(problems)
    ratios = options.ratio_list
    if options.mix:
        parts = [options.mix[path.stem] for path in options.label_file_list]
        ratios = ratios_of_mix([len(group) for group in groups], parts)
    return LabelSet.of(groups, ratios)


def ratios_of_mix(counts: Sequence[int], parts: Sequence[float]) -> tuple[float, ...]:
    """Per file, the ratio that draws all of the first file and of the others in proportion to ``parts``.

    counts: samples per file. An empty file has ratio 1.
    """
    unit = counts[0] / parts[0]
    return tuple(unit * part / count if count else 1.0 for count, part in zip(counts, parts))


def read_splits(train: DatasetOptions, evaluation: DatasetOptions, task: Task, seed: int) -> tuple[LabelSet, LabelSet]:
    """(training, evaluation) sets; evaluation has its own label files or, with ``holdout``, a share of the training
    files that training then lacks. Raises ConfigError when neither is given, DataError for bad labels."""
    training = read_label_set(train, task)
    if evaluation.label_file_list:
        return training, one_image_each(_drawn_once(read_label_set(evaluation, task, "Eval"), seed))
    if evaluation.holdout is None:
        where = "Eval.dataset.label_file_list"
        raise ConfigError(Problem(where, "no label file is given", "name one, or set Eval.dataset.holdout: 0.1"))
    kept, held = [], []
    for (start, end), path in zip(training.files, train.label_file_list):
        if end - start < 2:
            raise DataError(
                Problem(str(path), f"{end - start} line cannot be split", "Eval.dataset.holdout needs more")
            )
        part = split_holdout(training.samples[start:end], evaluation.holdout, seed)
        kept.append(part[0])
        held.append(part[1])
    return LabelSet.of(kept, training.ratios), one_image_each(LabelSet.of(held))


def one_image_each(labels: LabelSet) -> LabelSet:
    """A line that names several images becomes that many samples, so that evaluation sees each image once."""
    groups = []
    for start, end in labels.files:
        group = []
        for sample in labels.samples[start:end]:
            images = (sample.image_path, *sample.alternatives)
            group += [replace(sample, image_path=image, alternatives=()) for image in images]
        groups.append(group)
    return LabelSet.of(groups, labels.ratios)


def _drawn_once(labels: LabelSet, seed: int) -> LabelSet:
    """Evaluation with a ratio below 1: one draw, kept for the whole run."""
    if all(ratio == 1 for ratio in labels.ratios):
        return labels
    chosen = labels.draw(np.random.default_rng(seed))
    return LabelSet.of([[labels.samples[i] for i in chosen]])
