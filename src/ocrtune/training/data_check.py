"""The data of a run, looked at before the first step: what cannot be trained on stops it or is listed."""

from __future__ import annotations

from dataclasses import dataclass

from ocrtune.codec.image import RecPreprocess
from ocrtune.config.data_schema import DataOptions, MultiScaleSampler, WidthBucketSampler
from ocrtune.config.schema import RunConfig
from ocrtune.core.charset import Charset
from ocrtune.core.errors import DataError
from ocrtune.data.checks.detection import check_detection
from ocrtune.data.checks.recognition import check_recognition
from ocrtune.data.checks.report import CheckReport
from ocrtune.data.labels import LabelSet, read_splits
from ocrtune.data.preprocess import preprocess_of
from ocrtune.data.transforms.label_encode import CTCLabelEncodeOptions, MultiLabelEncodeOptions
from ocrtune.data.transforms.rec_resize_img import RecResizeImgOptions
from ocrtune.models.build import build_model
from ocrtune.training.start import pixels_per_step, read_charset


@dataclass(frozen=True)
class DataCheck:
    """training and evaluation: what the checks found in each set."""

    training: CheckReport
    evaluation: CheckReport

    def usable(self) -> tuple[LabelSet, LabelSet]:
        """(training, evaluation) sets to work with. Raises one DataError with the problems of both."""
        problems = [*self.training.problems, *self.evaluation.problems]
        if problems:
            raise DataError(list(dict.fromkeys(problems)))
        return self.training.usable(), self.evaluation.labels

    def lines(self, shown: int = 5) -> list[str]:
        """For the log: counts, samples left out, warnings (the first ``shown`` of each kind), advice."""
        parts = (("training", self.training), ("evaluation", self.evaluation))
        return [f"{title}: {line}" if i == 0 else line for title, r in parts for i, line in enumerate(r.lines(shown))]


def check_config(config: RunConfig) -> DataCheck:
    """Read and check the label files of both sections; the network is built, but no weights are loaded.

    Raises ConfigError or DataError for what cannot be read at all; what can is in the reports.
    """
    charset = read_charset(config)
    kind = config.architecture.model_type
    sets = read_splits(config.train.dataset, config.eval.dataset, kind, config.global_options.seed)
    preprocess = preprocess_of(config.eval.dataset.transforms)
    step = 1
    if isinstance(preprocess, RecPreprocess):
        step = pixels_per_step(build_model(config.architecture, charset), preprocess.image_shape[1])
    return check_sets(config, charset, sets, step)


def check_sets(
    config: RunConfig, charset: Charset | None, sets: tuple[LabelSet, LabelSet], width_per_step: int
) -> DataCheck:
    """Check (training, evaluation) label sets. width_per_step: pixels of input width per output step (recognition)."""
    training, evaluation = sets
    if charset is None:
        return DataCheck(check_detection(training), check_detection(evaluation, training=False))
    length = config.global_options.max_text_length
    return DataCheck(
        check_recognition(
            training,
            charset,
            max_text_length=length,
            max_steps=_widest(config.train) // width_per_step,
            drop_out_of_dictionary=_drops_unknown(config.train),
        ),
        check_recognition(evaluation, charset, max_text_length=length, training=False),
    )


def _widest(options: DataOptions) -> int:
    """Pixels of the widest training tensor."""
    if isinstance(options.sampler, WidthBucketSampler):
        return options.sampler.max_width
    if isinstance(options.sampler, MultiScaleSampler):
        return max(width for width, _ in options.sampler.scales)
    shapes = [c.options.image_shape for c in options.dataset.transforms if isinstance(c.options, RecResizeImgOptions)]
    return shapes[0][2] if shapes else RecPreprocess().max_width


def _drops_unknown(options: DataOptions) -> bool:
    encoders = (CTCLabelEncodeOptions, MultiLabelEncodeOptions)
    return any(
        component.options.drop_out_of_dictionary
        for component in options.dataset.transforms
        if isinstance(component.options, encoders)
    )
