"""The export gate: the exported file must answer as the PyTorch model does, on real images.

Both sides get the tensor of the same preprocessing object and are decoded by the same code; what is compared is what a
user would notice: the numbers, the texts or boxes, and the metric.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ocrtune.codec.ctc import CTCCodec
from ocrtune.core.errors import ExportError, Problem
from ocrtune.core.records import DetectionResult, Image, Polygon, RecognitionResult, Sample
from ocrtune.inference.detector import Detector
from ocrtune.inference.images import read_image
from ocrtune.inference.recogniser import Recogniser
from ocrtune.metrics.detection import DetMetric
from ocrtune.metrics.recognition import RecMetric

Array = NDArray[np.float32]
_SHOWN = 10
_SAME_CORNER = 1.0  # pixels of the source: boxes are rounded to whole ones


@dataclass(frozen=True)
class GateTolerance:
    """What the exported file may differ by.

    max_abs_diff: of any probability. agreement: least share of images with the same texts or boxes. A text can turn
        on a difference of 1e-6 where two classes are equally likely, so it is not 1.
    metric: of the main metric (hmean or accuracy), 0..1.
    """

    max_abs_diff: float = 1e-3
    agreement: float = 0.99
    metric: float = 0.005


@dataclass(frozen=True)
class GateReport:
    """What the gate measured over ``images`` validation images.

    max_abs_diff: largest difference of a probability. agreement: share of images with the same text (recognition) or
        the same boxes up to one pixel (detection).
    metric: its name; torch_metric, onnx_metric: its value on these images, for the model and for the file.
    differences: what differed, one line each.
    """

    images: int
    max_abs_diff: float
    agreement: float
    metric: str
    torch_metric: float
    onnx_metric: float
    differences: tuple[str, ...]


def verify(
    model: nn.Module,
    exported: Detector | Recogniser,
    samples: Sequence[Sample],
    tolerance: GateTolerance | None = None,
) -> GateReport:
    """Compare ``model`` with the exported file on ``samples``; the file is run as ``predict`` runs it.

    model: the trained model, not the folded copy, so that folding is checked too; it is put into eval mode and back.
    exported: opened from the file by :func:`ocrtune.inference.open_detector` or ``open_recogniser``.
    samples: validation samples, with labels.

    Raises ExportError, with the first ten differences, when the report is beyond ``tolerance`` or there is no sample.
    """
    if not samples:
        raise ExportError(Problem(str(exported.session.path), "there is no validation image to check it on"))
    with _evaluating(model), torch.no_grad():
        if isinstance(exported, Detector):
            report = _verify_detector(model, exported, samples)
        else:
            report = _verify_recogniser(model, exported, samples)
    _judge(report, tolerance or GateTolerance(), str(exported.session.path))
    return report


def _verify_detector(model: nn.Module, exported: Detector, samples: Sequence[Sample]) -> GateReport:
    run = _torch_runner(model, "shrink")
    results: tuple[list[DetectionResult], list[DetectionResult]] = ([], [])
    worst, differences = 0.0, []
    for sample in samples:
        image = read_image(sample.image_path)
        tensor, scale = exported.preprocess(image)
        expected, found = run(tensor[None])[0, 0], exported.session.run(tensor[None])[0, 0]
        worst = max(worst, _difference(expected, found))
        results[0].append(exported.postprocess(expected, scale))
        results[1].append(exported.postprocess(found, scale))
        if not same_boxes(results[0][-1], results[1][-1]):
            counts = f"{len(results[0][-1].polygons)} boxes in PyTorch, {len(results[1][-1].polygons)} in the file"
            differences.append(f"{sample.image_path}: {counts}")
    values = []
    for side in results:
        metric = DetMetric()
        metric.update(side, samples)
        values.append(metric.compute()["hmean"])
    return _report("hmean", worst, differences, len(samples), values)


def _verify_recogniser(model: nn.Module, exported: Recogniser, samples: Sequence[Sample]) -> GateReport:
    run = _torch_runner(model, "ctc")
    codec: CTCCodec = exported.codec
    crops: list[Image] = [read_image(sample.image_path) for sample in samples]
    worst, texts = 0.0, list[RecognitionResult]()
    for crop in crops:
        tensor = exported.preprocess(crop)[None]
        expected, found = _softmax(run(tensor)), exported.session.run(tensor)
        classes = expected.shape[-1]
        if found.shape[-1] > classes:  # the space class that never fires
            expected = np.pad(expected, ((0, 0), (0, 0), (0, found.shape[-1] - classes)))
        worst = max(worst, _difference(expected, found))
        texts += codec.decode(expected)
    read = exported(crops)
    differences = [
        f"{sample.image_path}: PyTorch reads {a.text!r} ({a.score:.4f}), the file {b.text!r} ({b.score:.4f})"
        for sample, a, b in zip(samples, texts, read, strict=True)
        if a.text != b.text
    ]
    values = []
    for side in (texts, read):
        metric = RecMetric()
        metric.update(side, samples)
        values.append(metric.compute()["accuracy"])
    return _report("accuracy", worst, differences, len(samples), values)


def same_boxes(first: DetectionResult, second: DetectionResult) -> bool:
    """Whether both found the same boxes up to one pixel per corner, in any order."""
    left = list(second.polygons)
    for polygon in first.polygons:
        same = (i for i, other in enumerate(left) if _is_same(polygon, other))
        match = next(same, None)
        if match is None:
            return False
        del left[match]
    return not left


def _is_same(first: Polygon, second: Polygon) -> bool:
    return first.shape == second.shape and float(np.abs(first - second).max()) <= _SAME_CORNER


def _report(name: str, worst: float, differences: list[str], images: int, values: list[float]) -> GateReport:
    return GateReport(images, worst, 1 - len(differences) / images, name, values[0], values[1], tuple(differences))


def _judge(report: GateReport, tolerance: GateTolerance, where: str) -> None:
    problems: list[Problem | str] = []
    if report.max_abs_diff > tolerance.max_abs_diff:
        what = f"probabilities differ by up to {report.max_abs_diff:.2g}, at most {tolerance.max_abs_diff:g} is allowed"
        problems.append(Problem(where, what))
    if report.agreement < tolerance.agreement:
        what = f"{report.agreement:.1%} of {report.images} images give the same result, at least "
        problems.append(Problem(where, f"{what}{tolerance.agreement:.0%} is required"))
    if abs(report.torch_metric - report.onnx_metric) > tolerance.metric:
        what = f"{report.metric} is {report.onnx_metric:.4f}, {report.torch_metric:.4f} in PyTorch"
        problems.append(Problem(where, what))
    if problems:
        raise ExportError([*problems, *report.differences[:_SHOWN]])


def _torch_runner(model: nn.Module, output: str) -> Callable[[Array], Array]:
    parameter = next(model.parameters())

    def run(tensor: Array) -> Array:
        answer: Any = model(torch.from_numpy(tensor).to(parameter.device))[output]
        return np.asarray(answer.float().cpu().numpy())

    return run


def _softmax(logits: Array) -> Array:
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True), np.float32)


def _difference(expected: Array, found: Array) -> float:
    if expected.shape != found.shape:
        return float("inf")
    difference = np.abs(expected - found).max()
    return float(difference) if np.isfinite(difference) else float("inf")


class _evaluating:
    """Eval mode inside the block, the former mode of every module after it."""

    def __init__(self, model: nn.Module):
        self.model = model

    def __enter__(self) -> None:
        self.modes = {module: module.training for module in self.model.modules()}
        self.model.eval()

    def __exit__(self, *exception: object) -> None:
        for module, training in self.modes.items():
            module.training = training
