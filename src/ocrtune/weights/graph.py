"""A model file's graph with its constants computed: who makes a value, who uses it, what a constant holds.

Both file formats become this: ONNX (``onnx_graph``) and Paddle's programs (``paddle_graph``), whose operators are
renamed to ONNX's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

_PASSING = {"Identity", "Cast", "Dropout"}


@dataclass(frozen=True, eq=False)
class Node:
    """One operator. inputs, outputs: names of values; an empty name is an input left away."""

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def input(self, index: int) -> str:
        """The name of an input, empty when it is left away."""
        return self.inputs[index] if index < len(self.inputs) else ""


class Graph:
    """The non-constant nodes of a file in their order, and every constant value.

    Values renamed by ``Identity`` or ``Cast`` count as one value, so an Add behind an Identity is still "following".
    """

    def __init__(
        self,
        nodes: Iterable[Node],
        constants: Mapping[str, NDArray[Any]],
        parents: Mapping[str, str],
        input_shape: tuple[int | None, ...],
        metadata: Mapping[str, str],
    ):
        """parents: a computed constant -> the constant it was computed from."""
        self.nodes = list(nodes)
        self.input_shape = input_shape
        self.metadata = dict(metadata)
        self._constants, self._parents = dict(constants), dict(parents)
        self._producers = {output: node for node in self.nodes for output in node.outputs}
        self._consumers: dict[str, list[Node]] = defaultdict(list)
        for node in self.nodes:
            for name in node.inputs:
                self._consumers[name].append(node)

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
        while node is not None and node.op in _PASSING:
            node = self._producers.get(node.inputs[0])
        return node

    def only_consumer(self, name: str) -> Node | None:
        """The one node that uses ``name``, looking through renamings; None when there are several or none."""
        consumers = self._consumers.get(name, [])
        while len(consumers) == 1 and consumers[0].op in _PASSING:
            consumers = self._consumers.get(consumers[0].outputs[0], [])
        return consumers[0] if len(consumers) == 1 else None
