"""Paddle's ``.pdiparams``: the tensors of an inference program one after another, without names.

Each is: uint32 version, uint64 number of LoD levels (each uint64 size and its bytes), uint32 version, int32 length of
a TensorDesc message, that message, the raw values. Source: paddle/fluid/framework/lod_tensor.cc SerializeToStream.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ocrtune.core.array_pickle import read_pickle
from ocrtune.core.errors import Problem, WeightsError
from ocrtune.weights import wire
from ocrtune.weights.pdparams import from_bfloat16

_TYPES = {  # framework.proto VarType.Type -> numpy; 22 is bfloat16
    0: np.dtype("?"), 1: np.dtype("<i2"), 2: np.dtype("<i4"), 3: np.dtype("<i8"), 4: np.dtype("<f2"),
    5: np.dtype("<f4"), 6: np.dtype("<f8"), 20: np.dtype("u1"), 21: np.dtype("i1"), 22: np.dtype("<u2"),
}  # fmt: skip
_BFLOAT16 = 22
_LARGEST_DESCRIPTION = 1 << 16


def read_pdiparams(path: Path, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """The tensors called ``names``, which must be exactly those of the file, in its order. WeightsError otherwise."""
    where = str(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(Problem(where, f"cannot read the weights ({error.strerror})")) from error
    arrays: dict[str, NDArray[Any]] = {}
    position = 0
    for name in names:
        try:
            arrays[name], position = _tensor(data, position)
        except (ValueError, IndexError, struct.error) as error:
            what = f"ends or breaks off at tensor {len(arrays) + 1} of {len(names)}, {name} ({error})"
            raise WeightsError(Problem(where, what, "give the .pdiparams that belongs to this program")) from error
    if position != len(data):
        what = f"holds {len(data) - position} bytes more than the program's {len(names)} tensors"
        raise WeightsError(Problem(where, what, "give the .pdiparams that belongs to this program"))
    return arrays


def read_training_names(path: Path) -> dict[str, str]:
    """``.pdiparams.info``: a tensor's name in the program -> its name in training. WeightsError when not readable.

    It lists every tensor of the training network, also those that the program dropped.
    """
    content = read_pickle(path)
    if not isinstance(content, dict):
        raise WeightsError(Problem(str(path), f"holds a {type(content).__name__}, expected names"))
    return {
        str(name): str(item["structured_name"])
        for name, item in content.items()
        if isinstance(item, dict) and "structured_name" in item
    }


def _tensor(data: bytes, position: int) -> tuple[NDArray[Any], int]:
    version, levels = struct.unpack_from("<IQ", data, position)
    position += 12
    if version != 0 or levels > 8:
        raise ValueError(f"version {version}, {levels} LoD levels")
    for _ in range(levels):
        (size,) = struct.unpack_from("<Q", data, position)
        position += 8 + size
    version, length = struct.unpack_from("<Ii", data, position)
    position += 8
    if version != 0 or not 0 <= length <= _LARGEST_DESCRIPTION:
        raise ValueError(f"tensor version {version}, a description of {length} bytes")
    description = wire.fields(data[position : position + length])
    position += length
    number, shape = wire.integer(description, 1), wire.integers(description, 2)
    if number not in _TYPES or any(side < 0 for side in shape):
        raise ValueError(f"type {number}, shape {shape}")
    count = int(np.prod(shape, dtype=object))
    if position + count * _TYPES[number].itemsize > len(data):
        raise ValueError("the file ends inside the values")
    values = np.frombuffer(data, _TYPES[number], count, position).reshape(shape)
    position += values.nbytes
    return (from_bfloat16(values) if number == _BFLOAT16 else values), position
