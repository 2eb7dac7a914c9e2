"""Worker: passes of PaddleOCR's own dataset classes over the same set, on the same core."""

from __future__ import annotations

import logging
import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from peers.protocol import Answer, serve, take_turn


class Failures(logging.Handler):
    """Counts the samples that PaddleOCR could not prepare and replaced by others: it only writes them to its log."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Count, and keep the message for whoever reads the error stream."""
        self.count += 1
        print(record.getMessage(), file=sys.stderr)


def prepare(arguments: Any) -> tuple[Answer, Callable[[Any], Answer]]:
    """arguments: those of ``data_ocrtune`` and paddleocr (checkout)."""
    if arguments["core"] is not None:
        os.sched_setaffinity(0, {arguments["core"]})
    sys.path.insert(0, arguments["paddleocr"])
    import albumentations
    import cv2
    import numpy as np
    import paddle
    import yaml
    from ppocr.data import simple_dataset

    cv2.setNumThreads(0)
    random.seed(0)
    np.random.seed(0)
    config = yaml.safe_load(Path(arguments["config"]).read_text(encoding="utf-8"))
    config["Global"]["character_dict_path"] = arguments["dictionary"]
    options = config["Train"]["dataset"]
    options["data_dir"], options["label_file_list"] = arguments["data"], [arguments["labels"]]
    failures, logger = Failures(), logging.Logger("benchmark")
    logger.addHandler(failures)
    dataset = getattr(simple_dataset, options["name"])(config, "Train", logger, 0)
    if arguments["frame"]:
        places = [(*arguments["frame"], index) for index in range(len(dataset))]
    else:
        places = list(range(len(dataset)))

    def one_pass() -> Answer:
        start = time.perf_counter()
        for place in places:
            dataset[place]
        return {"seconds": time.perf_counter() - start, "samples": len(places), "failed": failures.count}

    def answer(request: Any) -> Answer:
        failures.count = 0
        return take_turn(one_pass, request["turn"])

    versions = {"paddle": paddle.__version__, "cv2": cv2.__version__, "albumentations": albumentations.__version__}
    return {"versions": versions, "samples": len(dataset)}, answer


if __name__ == "__main__":
    serve(prepare)
