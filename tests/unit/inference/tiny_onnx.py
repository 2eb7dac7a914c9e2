"""Hand-made ONNX files of a few nodes whose answers are known, so that the tests need no weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def save(path, nodes, output, initialisers: Mapping[str, np.ndarray], metadata: Mapping[str, str], height="H") -> Path:
    """A model with the float input "x" (N, 3, height, W) and the output "y"."""
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, height, "W"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, output)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in initialisers.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, dict(metadata))
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def detector(path: Path, metadata: Mapping[str, str] | None = None) -> Path:
    """Probability = mean of the three input channels, clipped to 0..1: bright areas are text."""
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["m"], axes=[1], keepdims=1),
        helper.make_node("Clip", ["m", "zero", "one"], ["y"]),
    ]
    constants = {"zero": np.float32(0), "one": np.float32(1)}
    return save(path, nodes, ["N", 1, "H", "W"], constants, metadata or {})


def recogniser(path: Path, classes: int, metadata: Mapping[str, str] | None = None) -> Path:
    """Class c is likely where the mean of an 8-pixel column is near c / (classes - 1); so blank is near 0."""
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["grey"], axes=[1], keepdims=1),
        helper.make_node("AveragePool", ["grey"], ["pooled"], kernel_shape=[48, 8], strides=[48, 8]),
        helper.make_node("Squeeze", ["pooled", "axes"], ["columns"]),
        helper.make_node("Unsqueeze", ["columns", "last"], ["column"]),
        helper.make_node("Sub", ["column", "levels"], ["difference"]),
        helper.make_node("Mul", ["difference", "difference"], ["square"]),
        helper.make_node("Mul", ["square", "sharpness"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["y"], axis=2),
    ]
    constants = {
        "axes": np.array([1, 2], np.int64),
        "last": np.array([2], np.int64),
        "levels": np.linspace(0, 1, classes, dtype=np.float32),
        "sharpness": np.float32(-4000),
    }
    return save(path, nodes, ["N", "T", classes], constants, metadata or {}, 48)


def classifier(path: Path) -> Path:
    """A network whose output has rank 2: neither detection nor recognition."""
    nodes = [helper.make_node("ReduceMean", ["x"], ["y"], axes=[2, 3], keepdims=0)]
    return save(path, nodes, ["N", 3], {}, {})
