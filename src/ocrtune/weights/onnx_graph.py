"""An ONNX graph with its constants computed: who makes a value, who uses it, what a constant holds."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ocrtune.core.errors import Problem, WeightsError

Node = Any  # onnx.NodeProto; protobuf classes have no useful static type

_PASSING = {"Identity", "Cast", "Dropout"}
_FOLDABLE = {
    "Constant", "Identity", "Cast", "Reshape", "Unsqueeze", "Squeeze", "Flatten", "Concat", "Slice", "Split",
    "Transpose", "DequantizeLinear",
}  # fmt: skip


def attribute(node: Node, name: str, default: Any) -> Any:
    """The value of a node's attribute, or ``default``."""
    import onnx

    for item in node.attribute:
        if item.name == name:
            return onnx.helper.get_attribute_value(item)
    return default


class Graph:
    """The non-constant nodes of an ONNX file in their order, and every constant value.

    Values renamed by ``Identity`` or ``Cast`` count as one value, so an Add behind an Identity is still "following".
    """

    def __init__(self, model: Any):
        self.metadata: dict[str, str] = {item.key: item.value for item in model.metadata_props}
        self.input_shape = _input_shape(model)
        self._constants, self._parents, constant_nodes = _constants(model)
        self.nodes: list[Node] = [n for i, n in enumerate(model.graph.node) if i not in constant_nodes]
        self._producers: dict[str, Node] = {out: node for node in self.nodes for out in node.output}
        self._consumers: dict[str, list[Node]] = defaultdict(list)
        for node in self.nodes:
            for name in node.input:
                self._consumers[name].append(node)

    @classmethod
    def load(cls, path: Path) -> Graph:
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
            return cls(model)
        except Exception as error:  # ONNX Runtime has no common base for what a damaged graph makes it raise
            raise WeightsError(Problem(str(path), f"its constants cannot be computed ({error})")) from error

    def constant(self, name: str) -> NDArray[Any] | None:
        """The value called ``name`` if it does not depend on the input."""
        return self._constants.get(name)

    def vector(self, name: str) -> NDArray[Any]:
        """A constant that must exist, flattened."""
        return self._constants[name].reshape(-1)

    def origin(self, name: str) -> str:
        """The stored tensor behind a computed constant (its first ancestor), or the name itself."""
        while (parent := self._parents.get(name)) is not None:
            name = parent
        return name

    def producer(self, name: str) -> Node | None:
        """The node that computes ``name``, looking through renamings."""
        node = self._producers.get(name)
        while node is not None and node.op_type in _PASSING:
            node = self._producers.get(node.input[0])
        return node

    def only_consumer(self, name: str) -> Node | None:
        """The one node that uses ``name``, looking through renamings; None when there are several or none."""
        consumers = self._consumers.get(name, [])
        while len(consumers) == 1 and consumers[0].op_type in _PASSING:
            consumers = self._consumers.get(consumers[0].output[0], [])
        return consumers[0] if len(consumers) == 1 else None


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


def _evaluate(model: Any, nodes: list[Node]) -> dict[str, NDArray[Any]]:
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
