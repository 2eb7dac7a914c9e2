"""A run of ocrtune as ``ocrtune train`` makes it, ready for its first step, from PaddleOCR's unmodified YAML."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from ocrtune.config import load_config
from ocrtune.core.records import Batch, Sample
from ocrtune.training.freeze import train_mode_
from ocrtune.training.registries import all_registries
from ocrtune.training.run import Parts, assemble
from peers import inputs
from peers.made_sets import LabelledSet


def make_run(
    config: Path,
    dictionary: Path | None,
    folder: Path,
    *,
    data: LabelledSet,
    device: str | None = None,
    more: Sequence[str] = (),
) -> Parts:
    """``training.run.assemble`` of the YAML with other paths and random weights, its model in training mode.

    dictionary: of recognition. more: overrides, as ``-o`` takes them.
    """
    overrides = [
        "Global.pretrained_model=",
        f"Global.save_model_dir={json.dumps(str(folder / 'run'))}",
        *data.overrides("Train"),
        *data.overrides("Eval"),
        *([f"Global.character_dict_path={json.dumps(str(dictionary))}"] if dictionary else []),
        *more,
    ]
    loaded = load_config(config, overrides, all_registries())
    parts = assemble(loaded.config, device=device, say=lambda line: print(line, file=sys.stderr))
    train_mode_(parts.trainer.model)
    return parts


def made_up_batch(shape: tuple[int, int, int, int], dictionary: Path | None) -> Batch:
    """Images of ``shape`` (N, 3, H, W) and their targets, as the loader of ocrtune hands them to a step."""
    if dictionary is None:
        targets = inputs.detection_targets(shape)
    else:
        targets = inputs.recognition_targets(shape[0], inputs.count_classes(dictionary))
    samples = tuple(Sample(f"made up:{number}", Path("none")) for number in range(shape[0]))
    tensors = {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in targets.items()}
    return Batch(torch.from_numpy(inputs.images(shape)), tensors, samples)
