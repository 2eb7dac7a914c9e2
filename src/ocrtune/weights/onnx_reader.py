"""Weights of an ONNX file as the layers that use them, in the order of the graph. Imports no torch.

Exporters rename, fold and split: a weight may be an initializer, a ``Constant`` node, or the result of constant
arithmetic (LSTM gates re-ordered by slices, a quantised weight behind ``DequantizeLinear``); a bias may be an input or
a following ``Add``; a LayerNorm may be nine elementary nodes. This module undoes that: it computes every constant,
then lists one :class:`OnnxLayer` per layer, with tensors named and laid out as in the PyTorch module of that kind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ocrtune.core.errors import Problem, WeightsError
from ocrtune.weights.onnx_graph import Graph, Node, attribute

Array = NDArray[Any]


@dataclass(frozen=True)
class OnnxLayer:
    """One layer with parameters.

    kind: ``conv``, ``conv_transpose``, ``linear``, ``batch_norm``, ``layer_norm`` or ``lstm``.
    node: the node's name, for messages. source: the name of its main weight in the file; shared weights repeat it.
    tensors: PyTorch's names and layouts, float32: ``weight``, ``bias``, ``running_mean``, ``running_var``; an LSTM
        (one layer, both directions) has ``weight_ih_l0``, ``weight_hh_l0``, ``bias_ih_l0``, ``bias_hh_l0`` and the
        same with ``_reverse``, gates in PyTorch's order i, f, g, o.
    numbers: what is not learnt: ``epsilon``; of convolutions ``groups``, ``stride_h``, ``stride_w``.
    """

    kind: str
    node: str
    source: str
    tensors: Mapping[str, Array]
    numbers: Mapping[str, float]

    def describe(self) -> str:
        """``conv (96, 48, 1, 1) of node Conv.4``."""
        first = next(iter(self.tensors.values()))
        return f"{self.kind} {tuple(first.shape)} of node {self.node}"


@dataclass(frozen=True)
class OnnxWeights:
    """An ONNX file as weights.

    layers: in graph order. leftover: constants with more than one value that feed arithmetic and belong to no layer
    (name -> shape). input_shape: of the first input, ``None`` for a free side. metadata: the file's own key-values.
    """

    path: Path
    layers: tuple[OnnxLayer, ...]
    leftover: Mapping[str, tuple[int, ...]]
    input_shape: tuple[int | None, ...]
    metadata: Mapping[str, str]

    def summary(self) -> str:
        """``83 conv, 2 conv_transpose``: what the file looks like, for messages."""
        counts = Counter(layer.kind for layer in self.layers)
        return ", ".join(f"{n} {kind}" for kind, n in counts.most_common()) or "no layer with weights"


def read_onnx(path: Path | str) -> OnnxWeights:
    """Read the weights of an ONNX file. WeightsError when unreadable, or when it uses an integer-only operator."""
    path = Path(path)
    graph = Graph.load(path)
    used: set[str] = set()
    layers: list[OnnxLayer] = []
    for node in graph.nodes:
        if node.op_type in _REFUSED:
            what = f"operator {node.op_type} (node {node.name}) keeps its weights as integers"
            raise WeightsError(Problem(str(path), what, "give the float file from which this one was quantised"))
        reader = _READERS.get(node.op_type)
        layer = reader(graph, node, used) if reader else None
        if layer is not None:
            layers.append(layer)
    return OnnxWeights(path, tuple(layers), _leftover(graph, used), graph.input_shape, graph.metadata)


def _convolution(graph: Graph, node: Node, used: set[str]) -> OnnxLayer | None:
    weight = graph.constant(node.input[1])
    if weight is None:
        return None
    used.update(node.input[1:])
    transposed = node.op_type == "ConvTranspose"
    groups = int(attribute(node, "group", 1))
    channels = weight.shape[1] * groups if transposed else weight.shape[0]
    tensors = {"weight": _float(weight)}
    if len(node.input) > 2 and node.input[2]:
        tensors["bias"] = _float(graph.vector(node.input[2]))
    elif (bias := _following(graph, node.output[0], "Add", channels, used)) is not None:
        tensors["bias"] = bias[0]
    kind = "conv_transpose" if transposed else "conv"
    stride_h, stride_w = attribute(node, "strides", [1, 1])
    numbers = {"groups": groups, "stride_h": stride_h, "stride_w": stride_w}
    return OnnxLayer(kind, node.name, graph.origin(node.input[1]), tensors, numbers)


def _matmul(graph: Graph, node: Node, used: set[str]) -> OnnxLayer | None:
    weight = graph.constant(node.input[1])
    if weight is None or weight.ndim != 2:
        return None
    used.add(node.input[1])
    tensors = {"weight": _float(weight.T)}
    bias = _following(graph, node.output[0], "Add", weight.shape[1], used)
    if bias is not None:
        tensors["bias"] = bias[0]
    return OnnxLayer("linear", node.name, graph.origin(node.input[1]), tensors, {})


def _gemm(graph: Graph, node: Node, used: set[str]) -> OnnxLayer | None:
    weight = graph.constant(node.input[1])
    if weight is None:
        return None
    used.update(node.input[1:])
    weight = weight if attribute(node, "transB", 0) else weight.T
    tensors = {"weight": _float(weight) * np.float32(attribute(node, "alpha", 1.0))}
    if len(node.input) > 2 and node.input[2]:
        tensors["bias"] = _float(graph.vector(node.input[2])) * np.float32(attribute(node, "beta", 1.0))
    elif (bias := _following(graph, node.output[0], "Add", weight.shape[0], used)) is not None:
        tensors["bias"] = bias[0]
    return OnnxLayer("linear", node.name, graph.origin(node.input[1]), tensors, {})


def _batch_norm(graph: Graph, node: Node, used: set[str]) -> OnnxLayer | None:
    if any(graph.constant(name) is None for name in node.input[1:5]):
        return None
    used.update(node.input[1:5])
    names = ("weight", "bias", "running_mean", "running_var")
    tensors = {name: _float(graph.vector(source)) for name, source in zip(names, node.input[1:5])}
    numbers = {"epsilon": float(attribute(node, "epsilon", 1e-5))}
    return OnnxLayer("batch_norm", node.name, graph.origin(node.input[1]), tensors, numbers)


def _layer_norm(graph: Graph, node: Node, used: set[str]) -> OnnxLayer | None:
    if graph.constant(node.input[1]) is None:
        return None
    used.update(node.input[1:])
    tensors = {name: _float(graph.vector(i)) for name, i in zip(("weight", "bias"), node.input[1:]) if i}
    numbers = {"epsilon": float(attribute(node, "epsilon", 1e-5))}
    return OnnxLayer("layer_norm", node.name, graph.origin(node.input[1]), tensors, numbers)


def _decomposed_layer_norm(graph: Graph, node: Node, used: set[str]) -> OnnxLayer | None:
    """``(x - mean) / sqrt(var + eps) * weight + bias``, recognised at its division."""
    root = graph.producer(node.input[1])
    if root is None or root.op_type != "Sqrt":
        return None
    shifted = graph.producer(root.input[0])
    if shifted is None or shifted.op_type != "Add":
        return None
    epsilon = next((v for i in shifted.input if (v := graph.constant(i)) is not None and v.size == 1), None)
    scale = _following(graph, node.output[0], "Mul", None, used)
    if epsilon is None or scale is None:
        return None
    weight, multiplied = scale
    tensors = {"weight": weight}
    if (bias := _following(graph, multiplied.output[0], "Add", weight.size, used)) is not None:
        tensors["bias"] = bias[0]
    source = next(i for i in multiplied.input if graph.constant(i) is not None)
    return OnnxLayer("layer_norm", node.name, graph.origin(source), tensors, {"epsilon": float(epsilon.reshape(()))})


def _lstm(graph: Graph, node: Node, used: set[str]) -> OnnxLayer | None:
    """ONNX stacks directions and orders gates i, o, f, c; PyTorch i, f, g, o (g is c). Source: ONNX operator LSTM."""
    weights, recurrent = graph.constant(node.input[1]), graph.constant(node.input[2])
    if weights is None or recurrent is None:
        return None
    used.update(name for name in node.input[1:4] if name)
    hidden = recurrent.shape[2]
    both = graph.constant(node.input[3]) if len(node.input) > 3 and node.input[3] else None
    if both is None:
        both = np.zeros((weights.shape[0], 8 * hidden), np.float32)

    def gates(rows: Array) -> Array:
        i, o, f, c = np.split(_float(rows), 4)
        return np.concatenate([i, f, c, o])

    tensors: dict[str, Array] = {}
    for direction, ending in zip(range(weights.shape[0]), ("", "_reverse")):
        tensors[f"weight_ih_l0{ending}"] = gates(weights[direction])
        tensors[f"weight_hh_l0{ending}"] = gates(recurrent[direction])
        tensors[f"bias_ih_l0{ending}"] = gates(both[direction, : 4 * hidden])
        tensors[f"bias_hh_l0{ending}"] = gates(both[direction, 4 * hidden :])
    return OnnxLayer("lstm", node.name, graph.origin(node.input[1]), tensors, {})


def _following(graph: Graph, output: str, op_type: str, size: int | None, used: set[str]) -> tuple[Array, Node] | None:
    """The constant vector that the only consumer of ``output`` adds or multiplies, with that consumer.

    size: the number of values wanted; None accepts any vector. A plain scalar is arithmetic, not a parameter.
    """
    node = graph.only_consumer(output)
    if node is None or node.op_type != op_type:
        return None
    for name in node.input:
        value = graph.constant(name)
        if value is not None and value.ndim > 0 and value.size == (size or value.size) and _is_vector(value):
            used.add(name)
            return _float(value.reshape(-1)), node
    return None


def _is_vector(value: Array) -> bool:
    return bool(sum(side > 1 for side in value.shape) <= 1)


def _float(value: Array) -> Array:
    return np.ascontiguousarray(value, dtype=np.float32)


def _leftover(graph: Graph, used: set[str]) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for node in graph.nodes:
        if node.op_type not in _ARITHMETIC:
            continue
        for name in node.input:
            value = graph.constant(name)
            if name not in used and value is not None and value.dtype.kind == "f" and value.size > 1:
                found[graph.origin(name)] = tuple(value.shape)
    return found


_READERS = {
    "Conv": _convolution,
    "ConvTranspose": _convolution,
    "MatMul": _matmul,
    "Gemm": _gemm,
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "Div": _decomposed_layer_norm,
    "LSTM": _lstm,
}
_ARITHMETIC = {"Add", "Sub", "Mul", "Div", "MatMul", "Gemm", "Conv", "ConvTranspose", "PRelu", "Gather", "GRU", "RNN"}
_REFUSED = {"QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger", "DynamicQuantizeLSTM"}
