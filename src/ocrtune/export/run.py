"""A run folder -> a folder that other programs can run, checked on the run's validation images."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TypeVar

from ocrtune import __version__
from ocrtune.codec.db import DBPostProcess
from ocrtune.codec.image import DetPreprocess, RecPreprocess
from ocrtune.config import RunConfig
from ocrtune.core.errors import ExportError, Problem, WeightsError
from ocrtune.core.records import ModelCard, Sample
from ocrtune.data.preprocess import preprocess_of
from ocrtune.export import paddle_yaml, rapidocr
from ocrtune.export.gate import GateReport, GateTolerance, verify
from ocrtune.export.onnx import classes_with_space, export_model, needs_space
from ocrtune.inference.models import EXPORTED_NAME, open_detector, open_recogniser
from ocrtune.inference.paddle_yaml import FILE_NAME as PADDLE_YAML
from ocrtune.training.checkpoint import BEST, LATEST
from ocrtune.training.data import evaluation_labels
from ocrtune.training.run_folder import LoadedRun, load_run
from ocrtune.training.single import single
from ocrtune.training.tune import measured_with

UNCHECKED, FAILED, REPORT = "unchecked.onnx", "failed.onnx", "export.json"
GATE_IMAGES = 100

T = TypeVar("T")


@dataclass(frozen=True)
class ExportReport:
    """What :func:`export_run` wrote and found.

    model: the ONNX file; ``inference.yml``, ``rapidocr.yaml`` and ``export.json`` (this report) lie beside it.
    gate: None when it was skipped. notes: what a user should know, for example about a dictionary without space.
    """

    task: str
    model: Path
    checkpoint: Path
    gate: GateReport | None
    notes: tuple[str, ...]


def export_run(
    run: Path | str,
    output: Path | str,
    *,
    checkpoint: str = BEST,
    gate_images: int = GATE_IMAGES,
    tolerance: GateTolerance | None = None,
    network: str | None = None,
) -> ExportReport:
    """Export the weights ``checkpoint`` of the run folder ``run`` into the folder ``output``.

    checkpoint: ``best.safetensors`` or ``latest.safetensors``.
    network: which one of a distilled run; None takes the one of ``Metric.key``, the student, alone.
    gate_images: validation images that are run through the file and through PyTorch, spread over the set; 0 skips
        the gate, which needs the data, and the report says so.

    Raises WeightsError when ``run`` is no run folder, ConfigError when its data has moved, ExportError when ``output``
    cannot be written or the file does not give the results of the model. That file is then left for inspection, under
    the name ``failed.onnx``; an earlier export in the folder stays as it was.
    """
    output = Path(output)
    if checkpoint not in (BEST, LATEST):
        raise WeightsError(Problem(checkpoint, "no checkpoint has this name", f"use {BEST} or {LATEST}"))
    loaded = single(load_run(run, "latest" if checkpoint == LATEST else "best"), network)
    preprocess = preprocess_of(loaded.config.eval.dataset.transforms)
    samples = _samples(loaded.config, gate_images)
    card = _card(loaded, preprocess, Path(run))
    _make_folder(output)
    height = preprocess.image_shape[1] if isinstance(preprocess, RecPreprocess) else 64
    unchecked = export_model(loaded.model, card, loaded.charset, output / UNCHECKED, height=height)
    gate = _gate(loaded, unchecked, samples, tolerance) if samples else None
    model = unchecked.replace(output / EXPORTED_NAME)
    notes = [*card.notes, *_write_beside(loaded, preprocess, model, card.model_name)]
    if gate is None:
        notes.append("the gate was skipped: nothing proves that the file answers as the model")
    task = loaded.config.architecture.model_type
    report = ExportReport(task, model, Path(run) / checkpoint, gate, tuple(notes))
    _write(output / REPORT, _to_json(report))
    return report


def spread(items: Sequence[T], count: int) -> list[T]:
    """At most ``count`` items, evenly spread over the sequence, in its order."""
    if count >= len(items):
        return list(items)
    return [items[i * len(items) // count] for i in range(count)]


def _samples(config: RunConfig, count: int) -> list[Sample]:
    return spread(evaluation_labels(config).samples, count) if count > 0 else []


def _card(run: LoadedRun, preprocess: DetPreprocess | RecPreprocess, folder: Path) -> ModelCard:
    task = run.config.architecture.model_type
    metrics, note = measured_with(folder, run)
    notes = [note] if note else []
    if run.charset is not None and needs_space(run.charset):
        notes.append("the dictionary has no space: the file has a last class for it that never fires, for RapidOCR")
    post = run.config.postprocess.options
    return ModelCard(
        task=task,
        model_name=run.config.global_options.model_name or f"{run.config.architecture.algorithm or 'ocrtune'}_{task}",
        preprocess=preprocess.to_dict(),
        postprocess=post.to_dict() if isinstance(post, DBPostProcess) else {"name": run.config.postprocess.name},
        metrics=metrics,
        ocrtune_version=__version__,
        created=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        notes=tuple(notes),
    )


def _make_folder(output: Path) -> None:
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what = f"cannot be written ({error.strerror})"
        raise ExportError(Problem(str(output), what, "name another --output")) from error


def _gate(run: LoadedRun, model: Path, samples: list[Sample], tolerance: GateTolerance | None) -> GateReport:
    exported = open_detector(model) if run.charset is None else open_recogniser(model)
    try:
        return verify(run.model, exported, samples, tolerance)
    except ExportError:
        model.replace(model.with_name(FAILED))
        raise


def _write_beside(run: LoadedRun, preprocess: DetPreprocess | RecPreprocess, model: Path, name: str) -> list[str]:
    notes: list[str] = []
    try:
        if isinstance(preprocess, RecPreprocess):
            assert run.charset is not None
            characters = classes_with_space(run.charset)
            paddle_yaml.write_recognition_yaml(model.with_name(PADDLE_YAML), name, preprocess, characters)
            params = rapidocr.recognition_params(model, preprocess)
        else:
            post = run.config.postprocess.options
            paddle_yaml.write_detection_yaml(model.with_name(PADDLE_YAML), name, preprocess, post)
            params, notes = rapidocr.detection_params(model, preprocess, post)
        rapidocr.write_params(model.with_name(rapidocr.FILE_NAME), params)
    except OSError as error:
        raise ExportError(Problem(str(error.filename), f"cannot be written ({error.strerror})")) from error
    return notes


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ExportError(Problem(str(path), f"cannot be written ({error.strerror})")) from error


def _to_json(report: ExportReport) -> str:
    return json.dumps(dataclasses.asdict(report), ensure_ascii=False, indent=2, default=str) + "\n"
