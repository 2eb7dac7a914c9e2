"""Weights of a Paddle inference model: a program and the tensors beside it. Imports no torch and no Paddle.

The program's operators are renamed to ONNX's, so that :mod:`ocrtune.weights.layer_readers` reads both formats.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ocrtune.core.errors import Problem, WeightsError
from ocrtune.weights.graph import Graph, Node
from ocrtune.weights.layer_readers import read_layers
from ocrtune.weights.layers import LayerWeights
from ocrtune.weights.paddle_program import Operation, Program, read_program
from ocrtune.weights.pdiparams import read_pdiparams, read_training_names

PROGRAMS, PARAMETERS, NAMES = (".json", ".pdmodel"), ".pdiparams", ".pdiparams.info"
_NAMES_IN_ONNX = {  # Paddle's operator -> ONNX's, and its inputs in ONNX's order
    "conv2d": ("Conv", ("Input", "Filter", "Bias")),
    "depthwise_conv2d": ("Conv", ("Input", "Filter", "Bias")),
    "conv2d_transpose": ("ConvTranspose", ("Input", "Filter")),
    "batch_norm": ("BatchNormalization", ("X", "Scale", "Bias", "Mean", "Variance")),
    "layer_norm": ("LayerNormalization", ("X", "Scale", "Bias")),
    "matmul": ("MatMul", ("X", "Y")),
    "matmul_v2": ("MatMul", ("X", "Y")),
    "mul": ("MatMul", ("X", "Y")),
    "elementwise_add": ("Add", ("X", "Y")),
    "elementwise_mul": ("Mul", ("X", "Y")),
    "elementwise_div": ("Div", ("X", "Y")),
    "elementwise_sub": ("Sub", ("X", "Y")),
    "add": ("Add", ("X", "Y")),
    "multiply": ("Mul", ("X", "Y")),
    "divide": ("Div", ("X", "Y")),
    "subtract": ("Sub", ("X", "Y")),
    "rnn": ("PaddleLSTM", ("Input", "WeightList")),
    "dropout": ("Dropout", ("X",)),
    "assign": ("Identity", ("X",)),
}
_RENAMINGS = {"reshape", "reshape2", "assign", "cast", "unsqueeze2", "squeeze2"}  # of a parameter: its values stay
_TRANSPOSED = ("trans_y", "transpose_y", "transpose_Y")


def find_parts(path: Path) -> tuple[Path, Path]:
    """(program, parameters) of the inference model that ``path`` means: a folder, or any file of it.

    WeightsError naming what is missing. The program of PaddlePaddle 3 is preferred where both are there.
    """
    if path.is_dir():
        programs = sorted(p for suffix in PROGRAMS for p in path.glob(f"*{suffix}") if _parameters(p).is_file())
        if not programs:
            what = "holds no Paddle inference model (inference.json or inference.pdmodel with its .pdiparams)"
            raise WeightsError(Problem(str(path), what))
        return programs[0], _parameters(programs[0])
    stem = path.with_name(path.name.removesuffix(NAMES).removesuffix(PARAMETERS).removesuffix(".pdmodel"))
    stem = stem.with_name(stem.name.removesuffix(".json"))
    program = next((p for s in PROGRAMS if (p := stem.with_name(stem.name + s)).is_file()), None)
    if path.suffix in PROGRAMS and path.is_file():
        program = path
    if program is None:
        fix = "put the model's .json or .pdmodel beside it: only the program says which tensor is which"
        raise WeightsError(Problem(str(path), "a Paddle inference file without its program", fix))
    parameters = stem.with_name(stem.name + PARAMETERS)
    if not parameters.is_file():
        what = f"the program of a Paddle inference model, but {parameters.name} is not beside it"
        raise WeightsError(Problem(str(program), what))
    return program, parameters


def read_paddle_inference(path: Path | str) -> LayerWeights:
    """Read an inference model by its folder or one of its files. WeightsError when a part is missing or damaged."""
    program_file, parameter_file = find_parts(Path(path))
    program = read_program(program_file)
    constants = read_pdiparams(parameter_file, program.parameters)
    information = parameter_file.with_name(parameter_file.name + ".info")
    names = read_training_names(information) if information.is_file() else {}
    return read_layers(_graph(program, constants), program_file, names)


def _parameters(program: Path) -> Path:
    return program.with_suffix(PARAMETERS)


def _graph(program: Program, stored: Mapping[str, NDArray[Any]]) -> Graph:
    constants, parents, nodes = dict(stored), dict[str, str](), []
    for number, operation in enumerate(program.operations):
        source = operation.inputs.get("X", ("",))[0]
        if operation.kind in _RENAMINGS and source in constants:
            constants[operation.outputs[0]] = constants[source]
            parents[operation.outputs[0]] = source
        else:
            nodes.append(_node(number, operation))
    return Graph(nodes, constants, parents, program.input_shape, {})


def _node(number: int, operation: Operation) -> Node:
    op, order = _NAMES_IN_ONNX.get(operation.kind, (operation.kind, tuple(operation.inputs)))
    attributes = dict(operation.attributes)
    attributes["group"] = attributes.get("groups") or 1
    if op == "MatMul" and any(attributes.get(name) for name in _TRANSPOSED):
        op, attributes = "Gemm", {"transB": 1}
    inputs = tuple(name for label in order for name in operation.inputs.get(label, ("",)))
    if op == "PaddleLSTM":
        inputs = (operation.inputs["Input"][0], *operation.inputs["WeightList"])
    return Node(op, f"{operation.kind}.{number}", inputs, operation.outputs, attributes)
