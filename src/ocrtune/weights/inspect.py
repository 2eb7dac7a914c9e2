"""Which model a weights file is: compared with every network of the table, as loading it would."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from torch import nn

from ocrtune.core.charset import Charset
from ocrtune.core.errors import WeightsError
from ocrtune.models.fold import form_of
from ocrtune.weights.architectures import ARCHITECTURES
from ocrtune.weights.by_name import torch_names
from ocrtune.weights.layers import LayerWeights
from ocrtune.weights.load import rehearse
from ocrtune.weights.outline import outline, with_memory
from ocrtune.weights.prefixes import networks
from ocrtune.weights.report import LoadReport
from ocrtune.weights.source import NamedTensors, Source, open_source

_WORTH_A_LOOK = 0.3  # part of a file's names that a network must have to be compared in full
_FIRST_CHARACTER = 0x4E00
_CLASSIFIERS = tuple(f"head.{part}{layer}.bias" for part in ("ctc_head.", "") for layer in ("fc", "fc2"))
_DICTIONARIES = {  # classes -> PaddleOCR's dictionary that gives them, with use_space_char
    97: "en_dict.txt", 153: "te_dict.txt, ka_dict.txt", 130: "ta_dict.txt", 162: "arabic_dict.txt",
    163: "cyrillic_dict.txt", 169: "devanagari_dict.txt", 187: "latin_dict.txt", 3690: "korean_dict.txt",
    4401: "japan_dict.txt", 6625: "ppocr_keys_v1.txt", 6906: "ppocrv6_tiny_dict.txt", 8423: "chinese_cht_dict.txt",
    15631: "ppocrv4_doc_dict.txt", 18385: "ppocrv5_dict.txt", 18710: "ppocrv6_dict.txt",
}  # fmt: skip


@dataclass(frozen=True)
class Network:
    """One network of a file.

    prefix: of its names, empty where the file holds one network alone. tensors, parameters: its size.
    model: name of the config whose network it is, None when none fits whole; ``also`` are others that fit as well.
    form: see ``models.fold``. classes: of a recogniser. dictionary: what has that many classes, "" when unknown.
    report: of the best fit, None when nothing fits at all. closest: its name where ``model`` is None.
    """

    prefix: str
    tensors: int
    parameters: int
    model: str | None
    also: tuple[str, ...]
    closest: str | None
    form: str
    classes: int | None
    dictionary: str
    report: LoadReport | None


@dataclass(frozen=True)
class Inspection:
    """A file: what kind it is, and its networks."""

    label: str
    kind: str
    networks: tuple[Network, ...]


def inspect_weights(source: str | Path) -> Inspection:
    """Say what ``source`` (as ``Global.pretrained_model`` takes it) holds. WeightsError when it cannot be read."""
    opened = open_source(source)
    if isinstance(opened.content, LayerWeights):
        return Inspection(opened.label, _kind(opened.content), (_from_layers(opened, opened.content),))
    found = networks(opened.content.tensors) or {"": list(opened.content.tensors)}
    parts = [_from_names(opened, opened.content, prefix, names) for prefix, names in found.items()]
    kind = "PaddleOCR training checkpoint" if opened.content.layout == "paddle" else "weights in PyTorch's layout"
    return Inspection(opened.label, kind, tuple(parts))


def _kind(weights: LayerWeights) -> str:
    suffix = weights.path.suffix
    return {".onnx": "ONNX", ".json": "Paddle inference model (PIR)"}.get(suffix, "Paddle inference model")


def _from_layers(source: Source, weights: LayerWeights) -> Network:
    classes = weights.classes
    fits: dict[str, tuple[LoadReport, str]] = {}
    fixed = _fixed_shapes(weights)
    for name, model in _candidates(_of_task("rec" if classes is not None else "det"), classes):
        if not fixed <= {tuple(value.shape) for value in model.parameters()}:
            continue
        try:
            report = rehearse(with_memory(model), source)
        except WeightsError:
            continue
        if report.complete:
            fits[name] = (report, form_of(model))
    parameters = sum(value.size for layer in weights.layers for value in layer.tensors.values())
    tensors = sum(len(layer.tensors) for layer in weights.layers)
    return _network("", tensors, parameters, fits, None, source.charset, classes)


def _from_names(source: Source, named: NamedTensors, prefix: str, names: list[str]) -> Network:
    own = {name.removeprefix(prefix): named.tensors[name] for name in names}
    part = replace(source, content=replace(named, tensors=own))
    classes = next((len(own[name]) for name in _CLASSIFIERS if name in own), None)
    keys = set(torch_names(own))
    fits: dict[str, tuple[LoadReport, str]] = {}
    partly: dict[str, tuple[LoadReport, str]] = {}
    task = "rec" if classes is not None else "det"
    alike = [
        n
        for n in (_of_task(task) if networks(own) else ())
        if len(keys & _tensor_names(n)) >= _WORTH_A_LOOK * len(keys)
    ]
    for name, model in _candidates(alike, classes):
        try:
            report = rehearse(with_memory(model), part, "")
        except WeightsError:
            continue
        (fits if report.complete else partly)[name] = (report, form_of(model))
    fewest = min((len(report.unexpected) for report, _ in fits.values()), default=0)
    fits = {name: fit for name, fit in fits.items() if len(fit[0].unexpected) == fewest}
    closest = max(partly.items(), key=lambda item: item[1][0].share, default=None)
    return _network(prefix, len(own), _size(own), fits, closest, source.charset, classes)


def _network(
    prefix: str,
    tensors: int,
    parameters: int,
    fits: Mapping[str, tuple[LoadReport, str]],
    closest: tuple[str, tuple[LoadReport, str]] | None,
    charset: Charset | None,
    classes: int | None,
) -> Network:
    model, also = next(iter(fits), None), tuple(fits)[1:]
    best = fits[model] if model is not None else closest[1] if closest else None
    dictionary = _DICTIONARIES.get(classes, "") if classes is not None else ""
    if charset is not None:
        dictionary = f"in the file: {len(charset)} characters"
    return Network(
        prefix=prefix,
        tensors=tensors,
        parameters=parameters,
        model=model,
        also=also,
        closest=closest[0] if closest and model is None else None,
        form=best[1] if best else "training",
        classes=classes,
        dictionary=dictionary,
        report=best[0] if best else None,
    )


def _candidates(names: Sequence[str], classes: int | None) -> Iterator[tuple[str, nn.Module]]:
    """The outline of each network, with as many classes as the file has."""
    charset = Charset([chr(_FIRST_CHARACTER + i) for i in range((classes or 2) - 1)])
    for name in names:
        yield name, outline(ARCHITECTURES[name], charset)


def _of_task(task: str) -> list[str]:
    return [name for name, section in ARCHITECTURES.items() if section["model_type"] == task]


@functools.cache
def _tensor_names(name: str) -> frozenset[str]:
    return frozenset(outline(ARCHITECTURES[name], Charset("a")).state_dict())


def _fixed_shapes(weights: LayerWeights) -> set[tuple[int, ...]]:
    """Weight shapes that no folding and merging of branches changes: of linear and of 1x1 layers."""
    found = (layer.tensors["weight"].shape for layer in weights.layers if layer.kind in ("linear", "conv"))
    return {shape for shape in found if len(shape) == 2 or shape[2:] == (1, 1)}


def _size(tensors: Mapping[str, NDArray[Any]]) -> int:
    return sum(value.size for value in tensors.values())
