"""Weights of an ONNX file. Imports no torch."""

from __future__ import annotations

from pathlib import Path

from ocrtune.weights.layer_readers import read_layers
from ocrtune.weights.layers import LayerWeights
from ocrtune.weights.onnx_graph import load_onnx


def read_onnx(path: Path | str) -> LayerWeights:
    """Read the weights of an ONNX file. WeightsError when unreadable, or when it uses an integer-only operator."""
    path = Path(path)
    return read_layers(load_onnx(path), path)
