"""An ONNX file as a :class:`~ocrtune.weights.graph.Graph`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ocrtune.core.errors import Problem, WeightsError
from ocrtune.weights.graph import Graph, Node

_FOLDABLE = {
    "Constant", "Identity", "Cast", "Reshape", "Unsqueeze", "Squeeze", "Flatten", "Concat", "Slice", "Split",
    "Transpose", "DequantizeLinear",
}  # fmt: skip


def load_onnx(path: Path) -> Graph:
    """Read and index a file. WeightsError when it is missing or no complete ONNX model."""
    import onnx
    from google.protobuf.message import DecodeError

    if not path.is_file():
        raise WeightsError(Problem(str(path), "no such file"))
    try:
        model = onnx.load(str(path))
    except (DecodeError, OSError, ValueError) as error:
        raise WeightsError(Problem(str(path), f"not a complete ONNX file ({error})")) from error
    if not model.graph.node:
        raise WeightsError(Problem(str(path), "not an ONNX model: it has no nodes"))
    try:
        return _indexed(model)
    except Exception as error:  # ONNX Runtime has no common base for what a damaged graph makes it raise
        raise WeightsError(Problem(str(path), f"its constants cannot be computed ({error})")) from error


def _indexed(model: Any) -> Graph:
    import onnx

    constants, parents, constant_nodes = _constants(model)
    nodes = [
        Node(
            proto.op_type,
            proto.name,
            tuple(proto.input),
            tuple(proto.output),
            {item.name: onnx.helper.get_attribute_value(item) for item in proto.attribute},
        )
        for index, proto in enumerate(model.graph.node)
        if index not in constant_nodes
    ]
    metadata = {item.key: item.value for item in model.metadata_props}
    return Graph(nodes, constants, parents, _input_shape(model), metadata)


def _constants(model: Any) -> tuple[dict[str, NDArray[Any]], dict[str, str], set[int]]:
    """(value by name, first parent by name, indices of the nodes that are constant)."""
    import onnx

    values = {item.name: onnx.numpy_helper.to_array(item) for item in model.graph.initializer}
    known = set(values)
    parents: dict[str, str] = {}
    folded: list[int] = []
    for index, node in enumerate(model.graph.node):
        if node.op_type in _FOLDABLE and all(name in known or not name for name in node.input):
            folded.append(index)
            known.update(node.output)
            if node.input:
                parents.update(dict.fromkeys(node.output, node.input[0]))
    if folded:
        values |= _evaluate(model, [model.graph.node[i] for i in folded])
    return values, parents, set(folded)


def _evaluate(model: Any, nodes: list[Any]) -> dict[str, NDArray[Any]]:
    """The outputs of nodes that depend on initializers only, computed by ONNX Runtime as a model without input."""
    import onnx
    import onnxruntime

    needed = {name for node in nodes for name in node.input}
    names = [name for node in nodes for name in node.output if name]
    outputs = [onnx.helper.make_empty_tensor_value_info(name) for name in names]
    initial = [item for item in model.graph.initializer if item.name in needed]
    part = onnx.helper.make_graph(nodes, "constants", [], outputs, initial)
    proto = onnx.helper.make_model(part, opset_imports=list(model.opset_import), ir_version=max(model.ir_version, 4))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return dict(zip(names, session.run(names, {})))


def _input_shape(model: Any) -> tuple[int | None, ...]:
    initial = {item.name for item in model.graph.initializer}
    for item in model.graph.input:
        if item.name not in initial:
            sides = item.type.tensor_type.shape.dim
            return tuple(s.dim_value if s.HasField("dim_value") and s.dim_value > 0 else None for s in sides)
    return ()
