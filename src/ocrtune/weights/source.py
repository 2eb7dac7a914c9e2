"""A weights source as the user names it: a name of the catalogue or a file, opened by its kind. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from numpy.typing import NDArray

from ocrtune.core.charset import Charset
from ocrtune.core.errors import Problem, WeightsError, did_you_mean
from ocrtune.weights import catalogue, checkpoints
from ocrtune.weights.layers import LayerWeights
from ocrtune.weights.native import charset_from_metadata, read_native
from ocrtune.weights.onnx_reader import read_onnx
from ocrtune.weights.paddle_reader import read_paddle_inference
from ocrtune.weights.pdparams import read_pdparams

READABLE = (".pdparams", ".safetensors", ".onnx", ".pdiparams", ".pdmodel", ".json")
_PADDLE_INFERENCE = (".pdiparams", ".pdmodel", ".json", ".info")
_ADVICE = {
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
    content: NamedTensors | LayerWeights
    charset: Charset | None


def open_source(source: str | Path) -> Source:
    """Read ``source``: a name of the catalogue, a checkpoint that ``ocrtune weights pull`` fetched, or a file.

    The suffix (.pdparams, .safetensors, .onnx, .pdiparams) may be left out; a Paddle inference model is named by its
    folder or by any of its files. WeightsError when there is no such thing, or when it cannot be read safely and
    completely.
    """
    if isinstance(source, str) and source in catalogue.names():
        entry = catalogue.find(source)
        charset = catalogue.charset_of(entry) if entry.task == "rec" else None
        return Source(source, _layers(entry.path()), charset)
    if isinstance(source, str) and not Path(source).exists() and (pulled := checkpoints.fetched(source)) is not None:
        return Source(source, NamedTensors(read_pdparams(pulled), "paddle"), None)
    path = _existing(Path(source))
    if path.suffix == ".pdparams":
        return Source(str(path), NamedTensors(read_pdparams(path), "paddle"), None)
    if path.suffix == ".safetensors":
        tensors, metadata = read_native(path)
        return Source(
            str(path), NamedTensors(tensors, "torch", metadata.get("form")), charset_from_metadata(metadata, str(path))
        )
    weights = _layers(path)
    return Source(str(path), weights, _charset_in(weights))


def _layers(path: Path) -> LayerWeights:
    return read_onnx(path) if path.suffix == ".onnx" else read_paddle_inference(path)


def _existing(path: Path) -> Path:
    if path.suffix in _ADVICE:
        raise WeightsError(Problem(str(path), f"cannot load a {path.suffix} file", _ADVICE[path.suffix]))
    if path.is_dir() or (path.is_file() and path.suffix in (*READABLE, *_PADDLE_INFERENCE)):
        return path
    for suffix in READABLE:  # PaddleOCR writes paths without the suffix
        if (candidate := path.with_name(path.name + suffix)).is_file():
            return candidate
    if path.exists():
        raise WeightsError(Problem(str(path), "not a weights file", f"expected one of {', '.join(READABLE)}"))
    hint = did_you_mean(str(path), [*catalogue.names(), *checkpoints.names()])
    if str(path) in checkpoints.names():
        hint = f"fetch it first: ocrtune weights pull {path}"
    raise WeightsError(Problem(str(path), "no such file and no released model of this name", hint))


def _charset_in(weights: LayerWeights) -> Charset | None:
    """The dictionary in the metadata; whether the space follows it is seen from the number of classes."""
    text = weights.metadata.get(catalogue.ONNX_CHARACTER_KEY)
    if text is None or weights.classes is None:
        return None
    lines = text.split("\n")
    extra = weights.classes - 1 - len(lines)
    return Charset.from_lines(lines, extra == 1, str(weights.path)) if extra in (0, 1) else None
