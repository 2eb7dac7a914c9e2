"""PyTorch -> one ONNX file with dynamic shapes, the model card and the dictionary inside."""

from __future__ import annotations

import copy
import os
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path

import onnx
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ocrtune.core.charset import Charset
from ocrtune.core.errors import ExportError, Problem
from ocrtune.core.records import ModelCard
from ocrtune.export.padding import constant_padding
from ocrtune.inference.card import SPACE, card_to_metadata
from ocrtune.models.absorb import absorb_affines_
from ocrtune.models.fold import fold_
from ocrtune.weights.dictionary import check_class_count
from ocrtune.weights.trace import trace

OPSET = 13
"""Runs on every ONNX Runtime since 1.5 and on OpenVINO; later sets gave no faster file (measured up to 17)."""
INPUT = "x"
OUTPUTS = {"det": "shrink", "rec": "probability"}
_EXAMPLE_WIDTH = 160


def export_model(
    model: nn.Module,
    card: ModelCard,
    charset: Charset | None,
    path: Path | str,
    *,
    height: int = 64,
    opset: int = OPSET,
) -> Path:
    """Write the eval function of ``model`` to ``path``; the model itself is not changed.

    Input "x": (N, 3, H, W) float32; for recognition H is ``height``. Output "shrink": (N, 1, H, W) in 0..1, or
    "probability": (N, T, C), the softmax over the classes, so that a runtime needs none.
    charset: the dictionary, for recognition. RapidOCR ends every dictionary with a space; a model without a space class
    gets one whose probability is always 0, so C is ``len(character) + 2`` in every file (see
    :mod:`ocrtune.inference.card`).

    Raises ExportError when the file cannot be written or does not pass ONNX's own checker; DataError for a dictionary
    that ONNX metadata cannot hold; WeightsError for one that is not the model's.
    """
    path = Path(path)
    characters = None if charset is None else classes_with_space(charset)
    metadata = card_to_metadata(card, characters)
    network = absorb_affines_(fold_(copy.deepcopy(model).to("cpu", torch.float32).eval()))
    if charset is None:
        network, free = _Detection(network), {0: "N", 2: "H", 3: "W"}
        answer = {0: "N", 2: "H", 3: "W"}
    else:
        check_class_count(trace(network).classes, charset, str(path))
        network, free = _Recognition(network, needs_space(charset)), {0: "N", 3: "W"}
        answer = {0: "N", 1: "T"}
    output = OUTPUTS["det" if charset is None else "rec"]
    with _writing(path) as temporary:
        with warnings.catch_warnings(), torch.no_grad(), constant_padding(opset):
            warnings.simplefilter("ignore")  # the tracer warns about shapes that the gate checks
            torch.onnx.export(
                network.eval(),
                (torch.zeros(2, 3, height, _EXAMPLE_WIDTH),),
                temporary,
                input_names=[INPUT],
                output_names=[output],
                dynamic_axes={INPUT: free, output: answer},
                opset_version=opset,
                dynamo=False,  # the other exporter needs onnxscript, and gives no better file here
            )
        _finish(Path(temporary), metadata, path, 1 if characters is None else len(characters) + 1)
        os.replace(temporary, path)
    return path


def needs_space(charset: Charset) -> bool:
    """Whether the file needs a last class that stands for the space and never fires."""
    return charset.characters[-1] != SPACE


def classes_with_space(charset: Charset) -> tuple[str, ...]:
    """The characters of the exported classes without blank: those of ``charset``, the last one a space."""
    return (*charset.characters, SPACE) if needs_space(charset) else charset.characters


class _Detection(nn.Module):
    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 1, H, W)."""
        shrink: Tensor = self.model(image)["shrink"]
        return shrink


class _Recognition(nn.Module):
    def __init__(self, model: nn.Module, add_space: bool):
        super().__init__()
        self.model = model
        self.add_space = add_space

    def forward(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, T, C)."""
        probability = F.softmax(self.model(image)["ctc"], dim=-1)
        return F.pad(probability, (0, 1)) if self.add_space else probability


class _writing:
    """A temporary file in the folder of ``path``, removed on failure; ExportError when the folder is not writable."""

    def __init__(self, path: Path):
        self.path = path
        self.temporary = ""

    def __enter__(self) -> str:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle, self.temporary = tempfile.mkstemp(suffix=".onnx", dir=self.path.parent)
            os.close(handle)
            os.chmod(self.temporary, 0o644)
        except OSError as error:
            what = f"cannot be written ({error.strerror})"
            raise ExportError(Problem(str(self.path), what, "name another --output")) from error
        return self.temporary

    def __exit__(self, *exception: object) -> None:
        Path(self.temporary).unlink(missing_ok=True)


def _finish(file: Path, metadata: Mapping[str, str], path: Path, channels: int) -> None:
    """Put the metadata and the number of maps or classes in, drop the exporter's source positions, check the result."""
    model = onnx.load(str(file))
    model.producer_name = "ocrtune"
    shape = model.graph.output[0].type.tensor_type.shape.dim
    shape[1 if len(shape) == 4 else 2].dim_value = channels
    for node in model.graph.node:
        node.doc_string = ""
    onnx.helper.set_model_props(model, dict(metadata))
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(Problem(str(path), f"the exported graph is not valid ONNX ({error})")) from error
    onnx.save(model, str(file))
