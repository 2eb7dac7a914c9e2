"""The layers of a graph, whatever file it came from.

Exporters rename, fold and split: a weight may be stored, or the result of constant arithmetic (LSTM gates re-ordered
by slices, a quantised weight behind ``DequantizeLinear``); a bias may be an input or a following ``Add``; a LayerNorm
may be nine elementary nodes. Constants are computed already (``graph``); this module lists one :class:`Layer` per
layer, with tensors named and laid out as in the PyTorch module of that kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ocrtune.core.errors import Problem, WeightsError
from ocrtune.weights.graph import Graph, Node
from ocrtune.weights.layers import Layer, LayerWeights

Array = NDArray[Any]


def read_layers(graph: Graph, path: Path, names: Mapping[str, str] | None = None) -> LayerWeights:
    """The weights of ``graph``, which was read from ``path``; names: as in :class:`LayerWeights`.

    WeightsError when an operator keeps its weights as integers.
    """
    used: set[str] = set()
    layers: list[Layer] = []
    for node in graph.nodes:
        if node.op in _REFUSED:
            what = f"operator {node.op} (node {node.name}) keeps its weights as integers"
            raise WeightsError(Problem(str(path), what, "give the float file from which this one was quantised"))
        if (reader := _READERS.get(node.op)) is not None:
            layers += reader(graph, node, used)
    leftover = _leftover(graph, used)
    return LayerWeights(path, tuple(layers), leftover, graph.input_shape, graph.metadata, dict(names or {}))


def _convolution(graph: Graph, node: Node, used: set[str]) -> list[Layer]:
    weight = graph.constant(node.input(1))
    if weight is None:
        return []
    used.update(node.inputs[1:])
    transposed = node.op == "ConvTranspose"
    groups = int(node.attributes.get("group", 1))
    channels = weight.shape[1] * groups if transposed else weight.shape[0]
    tensors = {"weight": _float(weight)}
    if node.input(2):
        tensors["bias"] = _float(graph.vector(node.input(2)))
    elif (bias := _following(graph, node.outputs[0], "Add", channels, used)) is not None:
        tensors["bias"] = bias[0]
    kind = "conv_transpose" if transposed else "conv"
    stride_h, stride_w = node.attributes.get("strides", [1, 1])
    numbers = {"groups": groups, "stride_h": stride_h, "stride_w": stride_w}
    return [Layer(kind, node.name, graph.origin(node.input(1)), tensors, numbers)]


def _matmul(graph: Graph, node: Node, used: set[str]) -> list[Layer]:
    weight = graph.constant(node.input(1))
    if weight is None or weight.ndim != 2:
        return []
    used.add(node.input(1))
    tensors = {"weight": _float(weight.T)}
    bias = _following(graph, node.outputs[0], "Add", weight.shape[1], used)
    if bias is not None:
        tensors["bias"] = bias[0]
    return [Layer("linear", node.name, graph.origin(node.input(1)), tensors, {})]


def _gemm(graph: Graph, node: Node, used: set[str]) -> list[Layer]:
    weight = graph.constant(node.input(1))
    if weight is None:
        return []
    used.update(node.inputs[1:])
    weight = weight if node.attributes.get("transB", 0) else weight.T
    tensors = {"weight": _float(weight) * np.float32(node.attributes.get("alpha", 1.0))}
    if node.input(2):
        tensors["bias"] = _float(graph.vector(node.input(2))) * np.float32(node.attributes.get("beta", 1.0))
    elif (bias := _following(graph, node.outputs[0], "Add", weight.shape[0], used)) is not None:
        tensors["bias"] = bias[0]
    return [Layer("linear", node.name, graph.origin(node.input(1)), tensors, {})]


def _batch_norm(graph: Graph, node: Node, used: set[str]) -> list[Layer]:
    if any(graph.constant(name) is None for name in node.inputs[1:5]):
        return []
    used.update(node.inputs[1:5])
    names = ("weight", "bias", "running_mean", "running_var")
    tensors = {name: _float(graph.vector(source)) for name, source in zip(names, node.inputs[1:5])}
    numbers = {"epsilon": float(node.attributes.get("epsilon", 1e-5))}
    return [Layer("batch_norm", node.name, graph.origin(node.input(1)), tensors, numbers)]


def _layer_norm(graph: Graph, node: Node, used: set[str]) -> list[Layer]:
    if graph.constant(node.input(1)) is None:
        return []
    used.update(node.inputs[1:])
    tensors = {name: _float(graph.vector(i)) for name, i in zip(("weight", "bias"), node.inputs[1:]) if i}
    numbers = {"epsilon": float(node.attributes.get("epsilon", 1e-5))}
    return [Layer("layer_norm", node.name, graph.origin(node.input(1)), tensors, numbers)]


def _decomposed_layer_norm(graph: Graph, node: Node, used: set[str]) -> list[Layer]:
    """``(x - mean) / sqrt(var + eps) * weight + bias``, recognised at its division."""
    root = graph.producer(node.input(1))
    if root is None or root.op != "Sqrt":
        return []
    shifted = graph.producer(root.input(0))
    if shifted is None or shifted.op != "Add":
        return []
    epsilon = next((v for i in shifted.inputs if (v := graph.constant(i)) is not None and v.size == 1), None)
    scale = _following(graph, node.outputs[0], "Mul", None, used)
    if epsilon is None or scale is None:
        return []
    weight, multiplied = scale
    tensors = {"weight": weight}
    if (bias := _following(graph, multiplied.outputs[0], "Add", weight.size, used)) is not None:
        tensors["bias"] = bias[0]
    source = next(i for i in multiplied.inputs if graph.constant(i) is not None)
    return [Layer("layer_norm", node.name, graph.origin(source), tensors, {"epsilon": float(epsilon.reshape(()))})]


def _lstm(graph: Graph, node: Node, used: set[str]) -> list[Layer]:
    """ONNX stacks directions and orders gates i, o, f, c; PyTorch i, f, g, o (g is c). Source: ONNX operator LSTM."""
    weights, recurrent = graph.constant(node.input(1)), graph.constant(node.input(2))
    if weights is None or recurrent is None:
        return []
    used.update(name for name in node.inputs[1:4] if name)
    hidden = recurrent.shape[2]
    both = graph.constant(node.input(3)) if node.input(3) else None
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
    return [Layer("lstm", node.name, graph.origin(node.input(1)), tensors, {})]


def _paddle_lstm(graph: Graph, node: Node, used: set[str]) -> list[Layer]:
    """Paddle's ``rnn``: all layers in one operator; first every weight (ih, hh per direction), then every bias."""
    tensors = [graph.constant(name) for name in node.inputs[1:]]
    layers, directions = int(node.attributes["num_layers"]), 1 + bool(node.attributes["is_bidirec"])
    if node.attributes["mode"] != "LSTM" or len(tensors) != 4 * layers * directions or any(t is None for t in tensors):
        return []
    used.update(node.inputs[1:])
    half = len(tensors) // 2
    found = []
    for layer in range(layers):
        named: dict[str, Array] = {}
        for direction in range(directions):
            ending = "_reverse" if direction else ""
            first = 2 * (layer * directions + direction)
            for kind, start in (("weight", first), ("bias", half + first)):
                for side, value in zip(("ih", "hh"), tensors[start : start + 2]):
                    assert value is not None
                    named[f"{kind}_{side}_l0{ending}"] = _float(value)
        found.append(Layer("lstm", node.name, node.inputs[1 + 2 * layer * directions], named, {}))
    return found


def _affine(graph: Graph, node: Node, used: set[str]) -> list[Layer]:
    """``scale * x + bias`` with one value each: what PP-LCNetV3 learns, or just arithmetic."""
    scale = next((v for i in node.inputs if (v := graph.constant(i)) is not None and v.size == 1 and v.ndim), None)
    if scale is None or scale.dtype.kind != "f" or all(graph.constant(name) is not None for name in node.inputs):
        return []
    bias = _following(graph, node.outputs[0], "Add", 1, used)
    if bias is None:
        return []
    source = next(name for name in node.inputs if graph.constant(name) is not None)
    used.add(source)
    tensors = {"scale": _float(scale.reshape(-1)), "bias": bias[0]}
    return [Layer("affine", node.name, graph.origin(source), tensors, {})]


def _following(graph: Graph, output: str, op: str, size: int | None, used: set[str]) -> tuple[Array, Node] | None:
    """The constant vector that the only consumer of ``output`` adds or multiplies, with that consumer.

    size: the number of values wanted; None accepts any vector. A plain scalar is arithmetic, not a parameter.
    """
    node = graph.only_consumer(output)
    if node is None or node.op != op:
        return None
    for name in node.inputs:
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
        if node.op not in _ARITHMETIC:
            continue
        for name in node.inputs:
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
    "PaddleLSTM": _paddle_lstm,
    "Mul": _affine,
}
_ARITHMETIC = {"Add", "Sub", "Mul", "Div", "MatMul", "Gemm", "Conv", "ConvTranspose", "PRelu", "Gather", "GRU", "RNN"}
_REFUSED = {"QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger", "DynamicQuantizeLSTM"}
