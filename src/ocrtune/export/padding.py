"""``F.pad`` as one ONNX node with constant numbers.

PyTorch's exporter computes the numbers inside the graph (ten nodes each time). Behind such a padding it no longer knows
the height of the map, so that dropping the height of 1 in a recogniser becomes an ``If``, which some runtimes refuse.
"""

# torch.onnx is hardly typed
# mypy: disable-error-code="attr-defined, no-any-return"
from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.onnx import register_custom_op_symbolic, symbolic_helper, unregister_custom_op_symbolic

_OPERATOR = "aten::pad"


@contextmanager
def constant_padding(opset: int) -> Iterator[None]:
    """Within, ``torch.onnx.export(opset_version=opset, dynamo=False)`` writes constant paddings."""
    register_custom_op_symbolic(_OPERATOR, _pad, opset)
    try:
        yield
    finally:
        unregister_custom_op_symbolic(_OPERATOR, opset)


def onnx_pads(pads: Sequence[int], rank: int) -> list[int]:
    """PyTorch's (last axis before, after, the axis before it, ...) as ONNX's (all before..., all after...)."""
    missing = [0] * (2 * rank - len(pads))
    full = [*pads, *missing]
    return full[-2::-2] + full[::-2]


@symbolic_helper.parse_args("v", "is", "s", "v")
def _pad(graph: Any, x: Any, pads: list[int], mode: str, value: Any) -> Any:
    if mode != "constant":
        raise ValueError(f"padding '{mode}' cannot be exported, only 'constant'")
    inputs = [torch.tensor(onnx_pads(pads, x.type().dim()))]
    if not symbolic_helper._is_none(value):
        inputs.append(torch.tensor(float(symbolic_helper._maybe_get_const(value, "f"))))
    return graph.op("Pad", x, *(graph.op("Constant", value_t=value) for value in inputs), mode_s=mode)
