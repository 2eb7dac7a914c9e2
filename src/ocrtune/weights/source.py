"""A weights source as the user names it: a name of the catalogue or a file, opened by its kind. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from numpy.typing import NDArray

from ocrtune.core.charset import Charset
from ocrtune.core.errors import Problem, WeightsError, did_you_mean
from ocrtune.weights import catalogue
from ocrtune.weights.native import charset_from_metadata, read_native
from ocrtune.weights.onnx_reader import OnnxWeights, read_onnx
from ocrtune.weights.pdparams import read_pdparams

READABLE = (".pdparams", ".safetensors", ".onnx")
_ADVICE = {
    ".pdiparams": "a Paddle inference file has no structured names: give the .pdparams of the training, or an ONNX",
    ".pdmodel": "this is the graph of a Paddle inference model: give the .pdparams of the training, or an ONNX",
    ".pdopt": "this is an optimiser state: give the .pdparams beside it",
    ".pth": "a PyTorch pickle can run code when loaded: save the state_dict as .safetensors",
    ".pt": "a PyTorch pickle can run code when loaded: save the state_dict as .safetensors",
}


@dataclass(frozen=True)
class NamedTensors:
    """A file of named tensors.

    layout: whose conventions for names and Linear weights it follows. form: of the model that was saved
    (``models.fold``), where one of our files says it.
    """

    tensors: Mapping[str, NDArray[Any]]
    layout: Literal["paddle", "torch"]
    form: str | None = None


@dataclass(frozen=True)
class Source:
    """An opened source: ``label`` for messages, the file's dictionary where it is known."""

    label: str
    content: NamedTensors | OnnxWeights
    charset: Charset | None


def open_source(source: str | Path) -> Source:
    """Read ``source``: a catalogue name, or a file whose suffix (.pdparams, .safetensors, .onnx) may be left out.

    WeightsError when there is no such thing, or when it cannot be read safely and completely.
    """
    if isinstance(source, str) and source in catalogue.names():
        entry = catalogue.find(source)
        weights = read_onnx(entry.path())
        return Source(source, weights, catalogue.charset_of(entry) if entry.task == "rec" else None)
    path = _existing(Path(source))
    if path.suffix == ".pdparams":
        return Source(str(path), NamedTensors(read_pdparams(path), "paddle"), None)
    if path.suffix == ".safetensors":
        tensors, metadata = read_native(path)
        return Source(
            str(path), NamedTensors(tensors, "torch", metadata.get("form")), charset_from_metadata(metadata, str(path))
        )
    weights = read_onnx(path)
    return Source(str(path), weights, _charset_in(weights))


def _existing(path: Path) -> Path:
    if path.suffix in _ADVICE:
        raise WeightsError(Problem(str(path), f"cannot load a {path.suffix} file", _ADVICE[path.suffix]))
    if path.is_file() and path.suffix in READABLE:
        return path
    for suffix in READABLE:  # PaddleOCR writes paths without the suffix
        if (candidate := path.with_name(path.name + suffix)).is_file():
            return candidate
    if path.exists():
        raise WeightsError(Problem(str(path), "not a weights file", f"expected one of {', '.join(READABLE)}"))
    hint = did_you_mean(str(path), catalogue.names())
    raise WeightsError(Problem(str(path), "no such file and no released model of this name", hint))


def _charset_in(weights: OnnxWeights) -> Charset | None:
    """The dictionary in the metadata; whether the space follows it is seen from the number of classes."""
    text = weights.metadata.get(catalogue.ONNX_CHARACTER_KEY)
    classes = next((len(v.tensors["weight"]) for v in reversed(weights.layers) if v.kind == "linear"), None)
    if text is None or classes is None:
        return None
    lines = text.split("\n")
    extra = classes - 1 - len(lines)
    return Charset.from_lines(lines, extra == 1, str(weights.path)) if extra in (0, 1) else None
