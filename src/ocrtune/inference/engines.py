"""The two runtimes that can execute an ONNX file on a CPU, behind one small interface."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ocrtune.core.errors import ConfigError, Problem, WeightsError

Array = NDArray[np.float32]


class Engine(Protocol):
    """A loaded network with one image input.

    input_shape: None where the file leaves a dimension open. metadata: the file's key/value texts.
    """

    input_shape: tuple[int | None, ...]
    output_shapes: tuple[tuple[int | None, ...], ...]
    metadata: dict[str, str]

    def run(self, tensor: Array) -> list[Array]:
        """All outputs of one forward pass, in the file's order."""
        ...


def open_engine(name: str, path: Path, threads: int) -> Engine:
    """Load ``path`` with the engine called ``name``; ``threads`` 0 leaves the number to the engine."""
    if name == "onnxruntime":
        return OnnxRuntimeEngine(path, threads)
    if name == "openvino":
        return OpenVinoEngine(path, threads)
    raise ConfigError(Problem("engine", f"got '{name}', expected onnxruntime or openvino"))


def default_threads() -> int:
    """0 (one thread per physical core), or the number of cores this process may use where that is restricted."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    return allowed if 0 < allowed < (os.cpu_count() or 1) else 0


class OnnxRuntimeEngine:
    """ONNX Runtime on the CPU.

    The memory arena stays on (off, as RapidOCR sets it, costs up to a third of the time of a detection model).
    Threads do not spin between calls: detection and recognition take turns, and spinning threads of one take the
    cores from the other and from OpenCV (12 pages with two threads: 0.83 s instead of 1.06 s, 1.6 instead of 2.1 s of
    CPU time).
    """

    def __init__(self, path: Path, threads: int):
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises a dozen unrelated classes of its own
            raise WeightsError(_unreadable(path, error)) from error
        inputs = self._session.get_inputs()
        _require_one_image(path, [(i.name, i.type, len(i.shape)) for i in inputs])
        self._input = inputs[0].name
        self.input_shape = _shape(inputs[0].shape)
        self.output_shapes = tuple(_shape(output.shape) for output in self._session.get_outputs())
        self.metadata = dict(self._session.get_modelmeta().custom_metadata_map)

    def run(self, tensor: Array) -> list[Array]:
        return [np.asarray(output, np.float32) for output in self._session.run(None, {self._input: tensor})]


class OpenVinoEngine:
    """OpenVINO on the CPU, computing in float32 so that the text is that of ONNX Runtime."""

    def __init__(self, path: Path, threads: int):
        try:
            import openvino
        except ImportError as error:
            fix = "pip install 'ocrtune[openvino]'"
            raise ConfigError(Problem("engine", "openvino is not installed", fix)) from error
        settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        if threads:
            settings["INFERENCE_NUM_THREADS"] = threads
        try:
            core = openvino.Core()
            model = core.read_model(str(path))
            self._request = core.compile_model(model, "CPU", settings).create_infer_request()
        except Exception as error:  # RuntimeError with the whole C++ trace
            raise WeightsError(_unreadable(path, error)) from error
        names = [(i.any_name, i.element_type.get_type_name(), i.partial_shape.rank.get_length()) for i in model.inputs]
        _require_one_image(path, names)
        self.input_shape = _openvino_shape(model.inputs[0])
        self.output_shapes = tuple(_openvino_shape(output) for output in model.outputs)
        info = model.get_rt_info()
        framework = info["framework"] if "framework" in info else {}  # noqa: SIM401 - it has no get()
        self.metadata = {key: str(getattr(framework[key], "value", framework[key])) for key in framework}

    def run(self, tensor: Array) -> list[Array]:
        outputs = self._request.infer([tensor])
        return [np.array(output, np.float32) for output in outputs.values()]


def _require_one_image(path: Path, inputs: list[tuple[str, str, int]]) -> None:
    floats = ("tensor(float)", "f32")
    if len(inputs) != 1 or inputs[0][1] not in floats or inputs[0][2] != 4:
        found = ", ".join(f"{name} {kind} of rank {rank}" for name, kind, rank in inputs)
        what = f"not a text detection or recognition model: expected one float image input (N, 3, H, W), found {found}"
        raise WeightsError(Problem(str(path), what))


def _shape(shape: list[Any]) -> tuple[int | None, ...]:
    return tuple(size if isinstance(size, int) and size > 0 else None for size in shape)


def _openvino_shape(port: Any) -> tuple[int | None, ...]:
    return tuple(size.get_length() if size.is_static else None for size in port.partial_shape)


def _unreadable(path: Path, error: Exception) -> Problem:
    lines = [line for line in str(error).strip().splitlines() if line] or [type(error).__name__]
    reason = lines[0].rpartition("failed:")[2].rstrip(".")[:200]
    return Problem(str(path), f"cannot be loaded as an ONNX model ({reason})", "is the file complete?")
