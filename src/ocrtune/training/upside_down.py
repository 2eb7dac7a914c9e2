"""Whether training lines are upside down, asked of the base model: what decides ``RandomRotate180.prob: auto``.

Sets of real photos often hold lines that stand on their head under a label that reads them the right way. A few of
them teach a model little; turning a share of all crops does. Where every line is upright, the same would only teach it
to confuse 6 and 9, so the share is 0 there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor, nn

from ocrtune.codec.crop import rotate180
from ocrtune.codec.ctc import CTCCodec
from ocrtune.codec.image import DetPreprocess, RecPreprocess
from ocrtune.config.architecture_schema import Distillation
from ocrtune.config.component import Component
from ocrtune.config.schema import RunConfig
from ocrtune.core.charset import Charset
from ocrtune.core.errors import ConfigError, Problem
from ocrtune.core.records import Batch, Image
from ocrtune.data.labels import LabelSet
from ocrtune.data.loader import build_loader
from ocrtune.data.transforms.random_rotate180 import RandomRotate180Options
from ocrtune.training.evaluate import evaluate
from ocrtune.training.run_folder import saved_config
from ocrtune.training.start import run_folder_of
from ocrtune.training.tasks.base import Task
from ocrtune.training.tasks.looking import Looking
from ocrtune.training.tasks.recognition import read_texts

_LINES = 256  # training lines that are looked at
_LEAST_READ = 20  # lines that the base model must be able to read for its word to count
_LEAST_SHARE = 0.03  # of them upside down; a model also reads upright lines better turned now and then, by chance


@dataclass(frozen=True)
class Orientation:
    """lines: looked at. read: read right either way up. turned: of those, right only when turned by 180 degrees."""

    lines: int
    read: int
    turned: int

    @property
    def mixed(self) -> bool:
        """Whether so many are upside down that the model should learn to read them."""
        return self.read >= _LEAST_READ and self.turned >= _LEAST_SHARE * self.read

    def __str__(self) -> str:
        if self.read < _LEAST_READ:
            return f"the base model reads only {self.read} of {self.lines} lines"
        return f"{self.turned / self.read:.1%} of {self.read} lines that the base model can read are upside down"


def decide_turns(config: RunConfig, measure: Callable[[], Orientation], say: Callable[[str], None]) -> RunConfig:
    """``config`` with a number for each ``RandomRotate180.prob: auto`` of ``Train``.

    measure: asked once, only if there is one and the run begins; a resumed run keeps the number it has.
    ConfigError where several networks learn, of which none speaks for all.
    """
    transforms = config.train.dataset.transforms
    turns = [i for i, c in enumerate(transforms) if isinstance(c.options, RandomRotate180Options)]
    undecided = [i for i in turns if transforms[i].options.prob == "auto"]
    if not undecided:
        return config
    if isinstance(config.architecture, Distillation):
        raise ConfigError(Problem("RandomRotate180.prob", "'auto' asks one network, here are several", "give a number"))
    checkpoints = config.global_options.checkpoints
    if checkpoints is not None:
        saved = _saved_prob(saved_config(run_folder_of(checkpoints)))
        probs = dict.fromkeys(undecided, saved)
    else:
        orientation = measure()
        probs = {i: transforms[i].options.auto_prob if orientation.mixed else 0.0 for i in undecided}
        turned = max(probs.values())
        say(f"upside down: {orientation}: {f'{turned:.0%} of the crops are' if turned else 'crops are not'} turned")
    dataset = replace(config.train.dataset, transforms=tuple(_decided(transforms, probs)))
    return replace(config, train=replace(config.train, dataset=dataset))


def _decided(transforms: Sequence[Component], probs: Mapping[int, float]) -> Iterator[Component]:
    for i, component in enumerate(transforms):
        if i in probs:
            options, raw = replace(component.options, prob=probs[i]), {**component.raw, "prob": probs[i]}
            yield replace(component, options=options, raw=raw)
        else:
            yield component


def _saved_prob(saved: RunConfig) -> float:
    options = [c.options for c in saved.train.dataset.transforms if isinstance(c.options, RandomRotate180Options)]
    return next((float(o.prob) for o in options if o.prob != "auto"), 0.0)


def measure_orientation(
    model: nn.Module,
    labels: LabelSet,
    preprocess: DetPreprocess | RecPreprocess,
    config: RunConfig,
    charset: Charset | None,
) -> Orientation:
    """Read up to 256 lines of ``labels``, evenly spread over it, both ways up. The model must hold its weights.

    ConfigError for a detector.
    """
    if charset is None or isinstance(preprocess, DetPreprocess):
        raise ConfigError(Problem("Train.dataset.transforms", "RandomRotate180 is for recognition", "remove it"))
    chosen = np.linspace(0, len(labels) - 1, min(_LINES, len(labels))).round().astype(int)
    some = LabelSet.of([[labels.samples[i] for i in chosen]])
    upright = _right(model, some, preprocess, config, charset)
    turned = _right(model, some, Turned(preprocess.image_shape, preprocess.max_width), config, charset)
    return Orientation(len(some), int((upright | turned).sum()), int((turned & ~upright).sum()))


class Turned(RecPreprocess):
    """The same tensor of the crop upside down."""

    def __call__(self, image: Image) -> np.ndarray:
        return super().__call__(rotate180(image))


def _right(
    model: nn.Module, labels: LabelSet, preprocess: RecPreprocess, config: RunConfig, charset: Charset
) -> np.ndarray:
    """(N,) bool: which lines are read right, spaces aside."""
    reader = _Reader(CTCCodec(charset))
    read_lines(model, labels, preprocess, config, charset, reader)
    return np.array([reader.right[sample.source] for sample in labels.samples], bool)


def read_lines(
    model: nn.Module, labels: LabelSet, preprocess: RecPreprocess, config: RunConfig, charset: Charset, task: Task
) -> None:
    """Show ``task`` what ``model`` makes of every line of ``labels``, prepared in this process."""
    in_process = replace(config.eval, loader=replace(config.eval.loader, num_workers=0))
    loader = build_loader(
        labels, in_process, task="rec", seed=0, training=False, charset=charset, preprocess=preprocess
    )
    evaluate(model, loader, task, len(labels))


class _Reader(Looking):
    """Remembers which samples were read right."""

    def __init__(self, codec: CTCCodec):
        self._codec = codec
        self.right: dict[str, bool] = {}  # by source of the sample

    def reset(self) -> None:
        self.right = {}

    def update(self, outputs: Mapping[str, Tensor], batch: Batch) -> None:
        for result, sample in zip(read_texts(outputs, self._codec), batch.samples, strict=True):
            self.right[sample.source] = _bare(result.text) == _bare(sample.text or "")


def _bare(text: str) -> str:
    return text.replace(" ", "")
