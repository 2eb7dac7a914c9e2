"""A model file as the layers that hold its weights, in the order they run: what readers of graphs give."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True)
class Layer:
    """One layer with parameters.

    kind: ``conv``, ``conv_transpose``, ``linear``, ``batch_norm``, ``layer_norm``, ``lstm`` or ``affine`` (one learnt
        scale and one learnt bias for the whole map; files write plain arithmetic the same way).
    node: the node's name, for messages. source: the name of its main weight in the file; shared weights repeat it.
    tensors: PyTorch's names and layouts, float32: ``weight``, ``bias``, ``running_mean``, ``running_var``; an LSTM
        (one layer, both directions) has ``weight_ih_l0``, ``weight_hh_l0``, ``bias_ih_l0``, ``bias_hh_l0`` and the
        same with ``_reverse``, gates in PyTorch's order i, f, g, o; an affine ``scale`` and ``bias``.
    numbers: what is not learnt: ``epsilon``; of convolutions ``groups``, ``stride_h``, ``stride_w``.
    """

    kind: str
    node: str
    source: str
    tensors: Mapping[str, NDArray[Any]]
    numbers: Mapping[str, float]

    def describe(self) -> str:
        """``conv (96, 48, 1, 1) of node Conv.4``."""
        first = next(iter(self.tensors.values()))
        return f"{self.kind} {tuple(first.shape)} of node {self.node}"


@dataclass(frozen=True)
class LayerWeights:
    """A graph's weights.

    layers: in graph order. leftover: constants with more than one value that feed arithmetic and belong to no layer
    (name -> shape). input_shape: of the first input, ``None`` for a free side. metadata: the file's own key-values.
    names: the file's tensor names -> the names in training, where the file tells them (Paddle's ``.pdiparams.info``).
    """

    path: Path
    layers: tuple[Layer, ...]
    leftover: Mapping[str, tuple[int, ...]]
    input_shape: tuple[int | None, ...]
    metadata: Mapping[str, str]
    names: Mapping[str, str]

    @property
    def classes(self) -> int | None:
        """Rows of the last linear layer: in recognition the number of classes. None when there is none."""
        return next((len(v.tensors["weight"]) for v in reversed(self.layers) if v.kind == "linear"), None)

    def summary(self) -> str:
        """``83 conv, 2 conv_transpose``: what the file looks like, for messages."""
        counts = Counter(layer.kind for layer in self.layers if layer.kind != "affine")
        return ", ".join(f"{n} {kind}" for kind, n in counts.most_common()) or "no layer with weights"
