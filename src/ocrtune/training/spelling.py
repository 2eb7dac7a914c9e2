"""Where in the training lines the characters are, asked of the base model: what ``RecCutMix`` cuts by.

A CTC network says each character at one place of the line. Where it reads a line as its label says, these places are in
order, one in or beside each character; lines that it reads otherwise are not cut.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ocrtune.codec.ctc import CTCCodec
from ocrtune.codec.image import DetPreprocess, RecPreprocess
from ocrtune.config.architecture_schema import Distillation
from ocrtune.config.schema import RunConfig
from ocrtune.core.charset import Charset
from ocrtune.core.errors import ConfigError, Problem, WeightsError
from ocrtune.core.records import Batch
from ocrtune.data.item import Spelled
from ocrtune.data.labels import LabelSet
from ocrtune.data.transforms.rec_cut_mix import RecCutMixOptions
from ocrtune.training.checkpoint import write_file
from ocrtune.training.start import run_folder_of
from ocrtune.training.tasks.looking import Looking
from ocrtune.training.upside_down import Turned, read_lines

SPELLED = "spelled.json"
_LINES = 5000  # training lines that are read at most, spread evenly


def spelled_lines(
    config: RunConfig, measure: Callable[[], dict[str, Spelled]], say: Callable[[str], None]
) -> dict[str, Spelled] | None:
    """What ``RecCutMix`` must know; None where ``Train`` does not name it or never does it.

    measure: asked once, when the run begins; a resumed run has it in its folder. ConfigError where several networks
    learn, of which none speaks for all; WeightsError when the folder has it no more.
    """
    steps = (step.options for step in config.train.dataset.transforms)
    if not any(isinstance(options, RecCutMixOptions) and options.prob > 0 for options in steps):
        return None
    if isinstance(config.architecture, Distillation):
        raise ConfigError(Problem("Train.dataset.transforms", "RecCutMix asks one network, here are several"))
    if config.global_options.checkpoints is not None:
        return read_spelled(run_folder_of(config.global_options.checkpoints) / SPELLED)
    found = measure()
    say(f"cut and mixed: {len(found):,} training lines that the base model reads as labelled")
    return found


def save_spelled(folder: Path, spelled: Mapping[str, Spelled] | None) -> None:
    """Keep it with the run, for when it goes on; nothing for None."""
    if spelled is not None:
        text = json.dumps({source: [each.turned, *each.places] for source, each in spelled.items()})
        write_file(folder / SPELLED, text.encode())


def read_spelled(path: Path) -> dict[str, Spelled]:
    """What :func:`save_spelled` wrote; WeightsError when it is not there or damaged."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        return {source: Spelled(bool(turned), tuple(map(float, places))) for source, (turned, *places) in raw.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        what, fix = f"cannot read what RecCutMix cuts by ({error})", "start the run anew"
        raise WeightsError(Problem(str(path), what, fix)) from error


def measure_spelling(
    model: nn.Module,
    labels: LabelSet,
    preprocess: DetPreprocess | RecPreprocess,
    config: RunConfig,
    charset: Charset | None,
    device: torch.device,
) -> dict[str, Spelled]:
    """By source, up to 5000 lines of two characters or more that ``model`` reads as labelled, upright or upside down.

    device: where it reads; afterwards it is on the CPU again. ConfigError for a detector.
    """
    if charset is None or isinstance(preprocess, DetPreprocess):
        raise ConfigError(Problem("Train.dataset.transforms", "RecCutMix is for recognition", "remove it"))
    labels = labels.with_sizes()
    assert labels.sizes is not None
    can = [i for i, sample in enumerate(labels.samples) if not sample.alternatives and len(sample.text or "") > 1]
    chosen = [can[i] for i in np.linspace(0, len(can) - 1, min(_LINES, len(can))).round().astype(int)]
    aspects = {labels.samples[i].source: labels.sizes[i, 0] / labels.sizes[i, 1] for i in chosen}
    found: dict[str, Spelled] = {}
    model.to(device)
    for turned in (False, True):
        left = [labels.samples[i] for i in chosen if labels.samples[i].source not in found]
        if not left:
            break
        way = Turned(preprocess.image_shape, preprocess.max_width) if turned else preprocess
        reader = _Reader(CTCCodec(charset), aspects, turned)
        read_lines(model, LabelSet.of([left]), way, config, charset, reader)
        found.update(reader.found)
    model.cpu()
    return found


class _Reader(Looking):
    """Remembers where the characters of the lines are that are read as labelled."""

    def __init__(self, codec: CTCCodec, aspects: Mapping[str, float], turned: bool):
        self._codec = codec
        self._aspects = aspects
        self._turned = turned
        self.found: dict[str, Spelled] = {}

    def reset(self) -> None:
        self.found = {}

    def update(self, outputs: Mapping[str, Tensor], batch: Batch) -> None:
        height, width = batch.image.shape[2:]
        for ids, sample in zip(outputs["ctc"].argmax(dim=2).cpu().numpy(), batch.samples, strict=True):
            steps = np.flatnonzero((ids != 0) & (np.diff(ids, prepend=0) != 0))
            encoded = self._codec.encode(sample.text or "")
            if encoded.missing or tuple(ids[steps]) != encoded.ids:
                continue
            used = min(height * self._aspects[sample.source], width)
            places = np.minimum((steps + 0.5) * (width / len(ids)) / used, 1.0)
            self.found[sample.source] = Spelled(self._turned, tuple(places.tolist()))
