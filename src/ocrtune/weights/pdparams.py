"""PaddlePaddle's ``.pdparams``: a pickled dict of parameter name -> numpy array. Needs no Paddle and runs no code.

Source of the format: paddle/framework/io.py ``save``/``load`` (protocols 2 to 4; the entry
``StructuredToParameterName@@`` maps structured names to internal ones).
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ocrtune.core.array_pickle import read_pickle
from ocrtune.core.errors import Problem, WeightsError

NAME_TABLE_KEY = "StructuredToParameterName@@"
_SPLIT_KEY = "UnpackBigParamInfor@@"  # protocol 2/3 files cut arrays above 1 GiB into slices under this key


def read_pdparams(path: Path | str) -> dict[str, NDArray[Any]]:
    """Parameter name -> array, in file order; bfloat16 (stored as uint16) becomes float32.

    WeightsError when the file is missing, truncated, not such a dict, or names anything but arrays.
    """
    return _arrays(read_pickle(path), str(path))


def write_pdparams(path: Path | str, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Write ``tensors`` so that ``paddle.load`` and PaddleOCR read them; the file appears whole or not at all."""
    path = Path(path)
    content = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_bytes(pickle.dumps(content, protocol=4))
        os.replace(partial, path)
    except OSError as error:
        raise WeightsError(Problem(str(path), f"cannot write the weights ({error.strerror})")) from error


def _arrays(content: Any, where: str) -> dict[str, NDArray[Any]]:
    if not isinstance(content, dict):
        raise WeightsError(Problem(where, f"holds a {type(content).__name__}, expected parameter names with arrays"))
    if _SPLIT_KEY in content:
        fix = "save it again with paddle.save(..., protocol=4)"
        raise WeightsError(Problem(where, "arrays above 1 GiB are cut into slices (protocol 2 or 3)", fix))
    arrays: dict[str, NDArray[Any]] = {}
    problems: list[Problem | str] = []
    for name, value in content.items():
        if name == NAME_TABLE_KEY:
            continue
        if isinstance(value, tuple) and len(value) == 2:  # (internal name, array), how Paddle saves a bare tensor
            value = value[1]
        if isinstance(value, np.ndarray) and not value.dtype.hasobject and isinstance(name, str):
            arrays[name] = from_bfloat16(value) if value.dtype == np.uint16 else value
        else:
            problems.append(Problem(where, f"{name!r} is a {type(value).__name__}, expected an array"))
    if problems:
        fix = "an optimiser state (.pdopt) is not weights: give the .pdparams file"
        raise WeightsError([*problems[:5], Problem(where, f"{len(problems)} entries are no arrays", fix)])
    if not arrays:
        raise WeightsError(Problem(where, "holds no parameter at all", "the prefix used to extract it was wrong"))
    return arrays


def from_bfloat16(value: NDArray[Any]) -> NDArray[np.float32]:
    """Paddle stores bfloat16 as uint16: the upper half of a float32."""
    return (value.astype(np.uint32) << 16).view(np.float32)
