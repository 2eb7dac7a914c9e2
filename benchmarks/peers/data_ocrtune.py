"""Worker: passes of ocrtune's training dataset over a small set, on one core.

The environment's CACHE is ``Train.loader.cache_images``.
"""

from __future__ import annotations

import itertools
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2

from ocrtune.config import load_config
from ocrtune.core.errors import DataError
from ocrtune.data.dataset import Draw
from ocrtune.data.item import Context, Frame
from ocrtune.data.labels import read_label_set
from ocrtune.data.loader import start_worker, training_dataset
from ocrtune.training.registries import all_registries
from ocrtune.training.start import read_charset
from peers.protocol import Answer, serve, take_turn


def prepare(arguments: Any) -> tuple[Answer, Callable[[Any], Answer]]:
    """arguments: kind, config, labels (files), data (folder), dictionary, frame, core (or None), more (overrides)."""
    if arguments["core"] is not None:
        os.sched_setaffinity(0, {arguments["core"]})
    start_worker(0)
    overrides = ["Global.pretrained_model=", f"Train.loader.cache_images={os.environ['CACHE']}", *arguments["more"]]
    for section in ("Train", "Eval"):
        overrides.append(f"{section}.dataset.data_dir={json.dumps(arguments['data'])}")
        overrides.append(f"{section}.dataset.label_file_list={json.dumps([arguments['labels']])}")
    if arguments["dictionary"]:
        overrides.append(f"Global.character_dict_path={json.dumps(arguments['dictionary'])}")
    config = load_config(Path(arguments["config"]), overrides, all_registries()).config
    labels = read_label_set(config.train.dataset, arguments["kind"])
    context = Context(read_charset(config), config.global_options.max_text_length)
    dataset = training_dataset(labels, config.train, context, config.global_options.seed)
    frame = None
    if arguments["frame"]:
        width, height = arguments["frame"]
        frame = Frame(height, width, width)

    epochs = itertools.count()

    def one_pass() -> Answer:
        epoch = next(epochs)
        draws = [Draw(index, index, epoch, frame) for index in range(len(dataset))]
        start = time.perf_counter()
        for draw in draws:
            item = dataset[draw]
            if isinstance(item, DataError):
                raise item
        return {"seconds": time.perf_counter() - start, "samples": len(draws)}

    about = {"versions": {"cv2": cv2.__version__}, "samples": len(dataset)}
    return about, lambda request: take_turn(one_pass, request["turn"])


if __name__ == "__main__":
    serve(prepare)
