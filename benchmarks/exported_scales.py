"""PP-OCRv4/v5 mobile detection as exported, with its learnable scales left in and put into the convolutions: A B A B.

Claim: the file without them is faster. Random weights, one page of 640 x 640, ONNX Runtime on one thread.
Prints the median of the per-round ratios of processor time; above 1 means that the second file is faster.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from unittest import mock

import numpy as np
import onnxruntime
import torch
from torch import nn

from ocrtune.core.records import ModelCard
from ocrtune.export import onnx as exporter
from ocrtune.models.backbones import lcnet_v3
from ocrtune.models.det import DetModel
from ocrtune.models.heads import db
from ocrtune.models.necks import rse_fpn

ROUNDS = 15
SIDE = 640


def network() -> nn.Module:
    """The network of PP-OCRv4_mobile_det.yml, its scales and shifts moved from their start."""
    backbone = lcnet_v3.PPLCNetV3(lcnet_v3.Options(scale=0.75, det=True))
    for module in backbone.modules():
        if isinstance(module, lcnet_v3.Affine):
            nn.init.uniform_(module.scale, 0.4, 0.6)
            nn.init.normal_(module.bias, 0.0, 0.1)
    neck = rse_fpn.RSEFPN(rse_fpn.Options(out_channels=96), backbone.out_channels)
    return DetModel(backbone, neck, db.DBHead(db.Options(), neck.out_channels, None))


def session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def seconds(run: onnxruntime.InferenceSession, page: np.ndarray) -> float:
    start = time.process_time()
    run.run(None, {exporter.INPUT: page})
    return time.process_time() - start


def main() -> None:
    torch.manual_seed(0)
    model, card = network(), ModelCard("det", "PP-OCRv4_mobile_det", {}, {})
    page = np.random.default_rng(0).normal(0, 1, (1, 3, SIDE, SIDE)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        with mock.patch.object(exporter, "absorb_affines_", lambda network: network):
            left = session(exporter.export_model(model, card, None, Path(folder, "left.onnx")))
        absorbed = session(exporter.export_model(model, card, None, Path(folder, "absorbed.onnx")))
    answers = [run.run(None, {exporter.INPUT: page})[0] for run in (left, absorbed)]
    rounds = [(seconds(left, page), seconds(absorbed, page)) for _ in range(ROUNDS)]
    ratio = statistics.median(first / second for first, second in rounds)
    medians = [statistics.median(column) for column in zip(*rounds)]
    print(f"scales in the convolutions: {ratio:.2f} x ({medians[0]:.3f} s against {medians[1]:.3f} s, {ROUNDS} rounds)")
    print(f"largest difference of the probabilities: {np.abs(answers[0] - answers[1]).max():.1e}")


if __name__ == "__main__":
    main()
