"""The labelled samples of a run: read, split, checked."""

from __future__ import annotations

from collections.abc import Callable

from ocrtune.config.data_schema import DataOptions, MultiScaleSampler, WidthBucketSampler
from ocrtune.config.schema import RunConfig
from ocrtune.core.charset import Charset
from ocrtune.core.errors import DataError
from ocrtune.data.checks.detection import check_detection
from ocrtune.data.checks.recognition import check_recognition
from ocrtune.data.checks.report import CheckReport
from ocrtune.data.labels import LabelSet, read_splits
from ocrtune.data.transforms.rec_resize_img import FixedHeight

Say = Callable[[str], None]


def checked_samples(
    config: RunConfig, charset: Charset | None, pixels_per_step: int, say: Say
) -> tuple[LabelSet, LabelSet]:
    """(training, evaluation) samples that can be used; what is left out and what looks wrong goes to ``say``.

    charset: the dictionary of a recogniser, None for a detector. pixels_per_step: see :func:`max_steps`.
    Raises one DataError with every problem of both sets.
    """
    training, evaluation = read_splits(
        config.train.dataset, config.eval.dataset, config.architecture.model_type, config.global_options.seed
    )
    reports = [_check(training, config, charset, pixels_per_step, True)]
    reports.append(_check(evaluation, config, charset, pixels_per_step, False))
    problems = [problem for report in reports for problem in report.problems]
    if problems:
        raise DataError(problems)
    for title, report in zip(("training", "evaluation"), reports):
        first, *rest = report.lines()
        say(f"{title} data: {first}")
        for line in rest:
            say(f"  {line}")
    usable = reports[0].usable()
    if len(usable.files) > 1 or usable.ratios != (1.0,):
        drawn = [f"{n:,} of {of:,} from {name}" for (n, of), name in zip(usable.epoch_counts(), usable.names)]
        say(f"  each epoch draws {', '.join(drawn)}")
    if usable.per_batch:
        shares = [
            f"{n / usable.epoch_size():.1%} from {name}" for (n, _), name in zip(usable.epoch_counts(), usable.names)
        ]
        say(f"  each batch has {', '.join(shares)}")
    return usable, reports[1].labels


def evaluation_labels(config: RunConfig) -> LabelSet:
    """The ``Eval`` samples of ``config``, those of ``holdout`` included; DataError lists every bad line."""
    labels = config.eval.dataset
    source = labels if labels.has_samples else config.train.dataset  # training labels only where holdout needs them
    return read_splits(source, labels, config.architecture.model_type, config.global_options.seed)[1]


def max_steps(options: DataOptions, pixels_per_step: int) -> int | None:
    """Output steps of a recogniser on the widest input that training gives it; None when nothing says how wide.

    pixels_per_step: input pixels per output step.
    """
    if isinstance(options.sampler, WidthBucketSampler):
        return options.sampler.max_width // pixels_per_step
    if isinstance(options.sampler, MultiScaleSampler):
        return min(width for width, _ in options.sampler.scales) // pixels_per_step
    shapes = [c.options.image_shape for c in options.dataset.transforms if isinstance(c.options, FixedHeight)]
    return shapes[0][2] // pixels_per_step if shapes else None


def _check(
    labels: LabelSet, config: RunConfig, charset: Charset | None, pixels_per_step: int, training: bool
) -> CheckReport:
    if charset is None:
        return check_detection(labels, training=training)
    drops = [getattr(c.options, "drop_out_of_dictionary", False) for c in config.train.dataset.transforms]
    return check_recognition(
        labels,
        charset,
        max_text_length=config.global_options.max_text_length,
        max_steps=max_steps(config.train, pixels_per_step),
        drop_out_of_dictionary=any(drops),
        training=training,
    )
