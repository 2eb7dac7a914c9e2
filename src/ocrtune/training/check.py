"""A config's data looked at as training does before its first step, and nothing more."""

from __future__ import annotations

from collections.abc import Callable

from ocrtune.codec.image import RecPreprocess
from ocrtune.config.schema import RunConfig
from ocrtune.data.preprocess import preprocess_of
from ocrtune.models.build import build_model
from ocrtune.training.data import checked_samples
from ocrtune.training.start import pixels_per_step, read_charset
from ocrtune.training.tasks.build import build_task


def check_config(config: RunConfig, say: Callable[[str], None] = print) -> None:
    """Read and check the labelled data of both sections; counts, samples left out and warnings go to ``say``.

    The network is built, to know how many characters fit into its widest input, but no weights are loaded into it.
    Raises ConfigError or DataError with every problem that training would stop at.
    """
    charset = read_charset(config)
    build_task(config, charset)
    model = build_model(config.architecture, charset)
    preprocess = preprocess_of(config.eval.dataset.transforms)
    step = pixels_per_step(model, preprocess.image_shape[1]) if isinstance(preprocess, RecPreprocess) else 1
    checked_samples(config, charset, step, say)
