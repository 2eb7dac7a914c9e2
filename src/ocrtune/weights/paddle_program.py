"""Paddle's inference programs, ``.pdmodel`` (until 2.6) and ``.json`` (PIR, since 3.0), as operators in order.

Sources: paddle/fluid/framework/framework.proto; paddle/fluid/pir/serialize_deserialize (schema of the JSON: ``p`` is a
parameter, ``A`` attributes, ``I`` and ``O`` numbered values, ``#`` a kind).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ocrtune.core.errors import Problem, WeightsError
from ocrtune.weights import wire

_LOD_TENSOR = 7  # framework.proto VarType.Type
_INPUT_NAMES = {  # positional inputs of PIR's operators, by the names that .pdmodel uses
    "conv2d": ("Input", "Filter"),
    "depthwise_conv2d": ("Input", "Filter"),
    "conv2d_transpose": ("Input", "Filter"),
    "batch_norm": ("X", "Mean", "Variance", "Scale", "Bias"),
    "layer_norm": ("X", "Scale", "Bias"),
    "matmul": ("X", "Y"),
    "add": ("X", "Y"),
    "multiply": ("X", "Y"),
    "divide": ("X", "Y"),
    "subtract": ("X", "Y"),
    "reshape": ("X",),
    "rnn": ("Input", "PreState", "WeightList"),
}


@dataclass(frozen=True)
class Operation:
    """One operator: its kind, the values of each named input, all its outputs, and its plain attributes."""

    kind: str
    inputs: Mapping[str, tuple[str, ...]]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class Program:
    """operations: of the main block, in order. parameters: names of the stored tensors, in the order of ``.pdiparams``
    (sorted). input_shape: of the first input, None for a free side.
    """

    operations: tuple[Operation, ...]
    parameters: tuple[str, ...]
    input_shape: tuple[int | None, ...]


def read_program(path: Path) -> Program:
    """Read ``.pdmodel`` or ``.json``. WeightsError when it is missing or no complete program."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(Problem(str(path), f"cannot read it ({error.strerror})")) from error
    try:
        program = _from_json(data) if path.suffix == ".json" else _from_protobuf(data)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise WeightsError(Problem(str(path), f"not a complete Paddle inference program ({error!r})")) from error
    if not program.operations:
        raise WeightsError(Problem(str(path), "not a Paddle inference program: it has no operators"))
    return program


def _from_protobuf(data: bytes) -> Program:
    """ProgramDesc: blocks = 1. BlockDesc: vars = 3, ops = 4."""
    block = wire.fields(wire.messages(wire.fields(data), 1)[0])
    parameters, shapes = [], {}
    for raw in wire.messages(block, 3):  # VarDesc: name 1, type 2, persistable 3
        variable = wire.fields(raw)
        name, kind = wire.text(variable, 1), wire.fields(wire.messages(variable, 2)[0])
        if wire.integer(kind, 1) != _LOD_TENSOR:
            continue
        if wire.integer(variable, 3):
            parameters.append(name)
        if wire.messages(kind, 3):  # LoDTensorDesc: tensor 1; TensorDesc: data_type 1, dims 2
            tensor = wire.fields(wire.messages(wire.fields(wire.messages(kind, 3)[0]), 1)[0])
            shapes[name] = wire.integers(tensor, 2)
    operations = [_operation(raw) for raw in wire.messages(block, 4)]
    first = next((op.outputs[0] for op in operations if op.kind == "feed"), "")
    return Program(tuple(operations), tuple(sorted(parameters)), _sides(shapes.get(first, ())))


def _operation(raw: bytes) -> Operation:
    """OpDesc: inputs 1, outputs 2 (Var: parameter 1, arguments 2), type 3, attrs 4."""
    found = wire.fields(raw)
    variables = [wire.fields(item) for item in wire.messages(found, 1)]
    outputs = [name for item in wire.messages(found, 2) for name in wire.texts(wire.fields(item), 2)]
    return Operation(
        wire.text(found, 3),
        {wire.text(item, 1): wire.texts(item, 2) for item in variables},
        tuple(outputs),
        dict(_attribute(item) for item in wire.messages(found, 4)),
    )


def _attribute(raw: bytes) -> tuple[str, Any]:
    """OpDesc.Attr: name 1, type 2; the value's field follows from the type. Kinds that no layer needs are None."""
    found = wire.fields(raw)
    kind = wire.integer(found, 2)
    value: Any = None
    if kind in (0, 6, 9):  # INT, BOOLEAN, LONG
        value = wire.integer(found, {0: 3, 6: 10, 9: 13}[kind])
    elif kind in (3, 11):  # INTS, LONGS
        value = wire.integers(found, {3: 6, 11: 15}[kind])
    elif kind == 1:
        value = wire.float32(found, 4)
    elif kind == 2:
        value = wire.text(found, 5)
    return wire.text(found, 1), value


def _from_json(data: bytes) -> Program:
    content = json.loads(data)
    if content["base_code"]["magic"] != "pir":
        raise ValueError("its magic is not 'pir'")
    names: dict[int, tuple[str, ...]] = {}  # a value's number -> its name, or the names of a combined list
    parameters, operations = [], []
    shape: tuple[int | None, ...] = ()
    for raw in content["program"]["regions"][0]["blocks"][0]["ops"]:
        if raw["#"] == "p":
            name, number = raw["A"][3], raw["O"]["%"]
            names[number] = (name,)
            if raw["OA"][0]:  # persistable
                parameters.append(name)
            continue
        kind = raw["#"].partition(".")[2]
        inputs = [names.get(item["%"], (f"%{item['%']}",)) for item in raw["I"]]
        if kind == "combine":
            names[raw["O"][0]["%"]] = tuple(name for part in inputs for name in part)
            continue
        attributes = {item["N"]: _plain(item["AT"]) for item in raw["A"]}
        if kind == "data" and not shape:
            shape = _sides(attributes["shape"])
        kind = kind.removesuffix("_")  # the form that works in place
        labels = _INPUT_NAMES.get(kind, ())
        labelled = {labels[i] if i < len(labels) else f"input {i}": part for i, part in enumerate(inputs)}
        outputs = tuple(f"%{item['%']}" for item in raw["O"])
        operations.append(Operation(kind, labelled, outputs, attributes))
    return Program(tuple(operations), tuple(sorted(parameters)), shape)


def _plain(attribute: Mapping[str, Any]) -> Any:
    value = attribute.get("D")
    if attribute["#"].endswith(".a_array"):
        return tuple(_plain(item) for item in value or ())
    return value


def _sides(shape: Any) -> tuple[int | None, ...]:
    return tuple(int(side) if side > 0 else None for side in shape)
