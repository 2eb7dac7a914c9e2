"""Worker: the same step by real PaddleOCR, as its ``tools/train.py`` and ``tools/program.py`` make it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from peers import inputs
from peers.cases import TrainCase
from peers.protocol import Answer, serve, take_turn

_NAMES = {"label": "ctc", "label_ctc": "ctc", "label_gtc": "nrtr"}  # PaddleOCR's key: ours
_LABELS_INTO_THE_MODEL = "SVTR_LCNet"  # algorithm whose network reads the labels too


def prepare(arguments: Any) -> tuple[Answer, Callable[[Any], Answer]]:
    """arguments: case, configs (folder), dictionary (or None), paddleocr (checkout)."""
    sys.path.insert(0, arguments["paddleocr"])
    import numpy as np
    import paddle
    import yaml
    from ppocr.losses import build_loss
    from ppocr.modeling.architectures import build_model
    from ppocr.optimizer import build_optimizer

    paddle.set_device("cpu")
    paddle.seed(0)
    case = TrainCase(**arguments["case"])
    config = yaml.safe_load(Path(arguments["configs"], case.config).read_text(encoding="utf-8"))
    if case.kind == "det":
        targets = inputs.detection_targets(case.shape)
    else:
        classes = inputs.count_classes(arguments["dictionary"])
        targets = inputs.recognition_targets(case.batch, classes)
        set_classes(config, classes)
    model, loss = build_model(config["Architecture"]), build_loss(config["Loss"])
    optimizer, schedule, *_ = build_optimizer(  # 3.7 adds a schedule of the weight decay
        config["Optimizer"], epochs=config["Global"]["epoch_num"], step_each_epoch=100, model=model
    )
    arrays = {"image": inputs.images(case.shape), **targets}
    keys = config["Train"]["dataset"]["transforms"][-1]["KeepKeys"]["keep_keys"]
    batch = [paddle.to_tensor(arrays[_NAMES.get(key, key)]) for key in keys]
    more = {"data": batch[1:]} if config["Architecture"]["algorithm"] == _LABELS_INTO_THE_MODEL else {}

    def step() -> Answer:
        start = time.perf_counter()
        model.train()
        total = loss(model(batch[0], **more), batch)["loss"]
        total.backward()
        optimizer.step()
        optimizer.clear_grad()
        value = float(total)
        if not isinstance(schedule, float):
            schedule.step()
        return {"seconds": time.perf_counter() - start, "loss": value}

    about = {
        "versions": {"paddle": paddle.__version__, "numpy": np.__version__},
        "parameters": int(sum(np.prod(value.shape) for value in model.parameters() if not value.stop_gradient)),
    }
    return about, lambda request: take_turn(step, request["turn"])


def set_classes(config: dict[str, Any], classes: int) -> None:
    """Tell the head of a recogniser its number of classes, as ``tools/train.py`` does."""
    head = config["Architecture"]["Head"]
    if head["name"] == "MultiHead":
        head["out_channels_list"] = {"CTCLabelDecode": classes, "NRTRLabelDecode": classes + 3}
    else:
        head["out_channels"] = classes


if __name__ == "__main__":
    serve(prepare)
