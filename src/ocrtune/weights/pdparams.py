"""PaddlePaddle's ``.pdparams``: a pickled dict of parameter name -> numpy array. Needs no Paddle and runs no code.

A pickle can call any function it names, so the reader resolves only what numpy arrays and plain containers need and
refuses every other name. Source of the format: paddle/framework/io.py ``save``/``load`` (protocols 2 to 4; the entry
``StructuredToParameterName@@`` maps structured names to internal ones).
"""

from __future__ import annotations

import codecs
import collections
import io
import os
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ocrtune.core.errors import Problem, WeightsError

NAME_TABLE_KEY = "StructuredToParameterName@@"
_SPLIT_KEY = "UnpackBigParamInfor@@"  # protocol 2/3 files cut arrays above 1 GiB into slices under this key


class _Refused(Exception):
    """A global name that a weights file has no reason to use."""


def _new_array(subtype: type, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Stand-in for numpy's ``_reconstruct``, which would build any subclass of any size."""
    if subtype is not np.ndarray or tuple(shape) != (0,):
        raise _Refused(f"an array of type {getattr(subtype, '__name__', subtype)} and shape {shape}")
    return np.ndarray((0,), np.dtype("b"))


def _scalar(dtype: np.dtype[Any], data: bytes = b"") -> Any:
    if dtype.hasobject:
        raise _Refused("a numpy scalar of type object")
    return np.frombuffer(data, dtype, 1)[0]


def _encode(text: str, encoding: str) -> bytes:
    """Bytes in a protocol 2 pickle are latin-1 text."""
    if encoding != "latin1":
        raise _Refused(f"the text encoding {encoding!r}")
    return codecs.encode(text, "latin1")


_ALLOWED: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _encode,
    ("collections", "OrderedDict"): collections.OrderedDict,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _new_array for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _scalar for core in ("core", "_core")},
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise _Refused(f"{module}.{name}") from None

    def persistent_load(self, pid: Any) -> Any:
        raise _Refused("a persistent id")


def read_pdparams(path: Path | str) -> dict[str, NDArray[Any]]:
    """Parameter name -> array, in file order; bfloat16 (stored as uint16) becomes float32.

    WeightsError when the file is missing, truncated, not such a dict, or names anything but arrays.
    """
    where = str(path)
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise WeightsError(Problem(where, f"cannot read the weights ({error.strerror})")) from error
    try:
        content = _Unpickler(io.BytesIO(data), encoding="latin1").load()
    except _Refused as error:
        what = f"refused: the file asks for {error}, which no weights file needs"
        raise WeightsError(Problem(where, what, "do not use this file; get the weights from their author")) from error
    except Exception as error:  # a damaged pickle can raise almost anything
        what = f"not a complete .pdparams file ({type(error).__name__} after {len(data)} bytes)"
        raise WeightsError(Problem(where, what, "the download may have been cut off: fetch it again")) from error
    return _arrays(content, where)


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
            arrays[name] = _from_bfloat16(value) if value.dtype == np.uint16 else value
        else:
            problems.append(Problem(where, f"{name!r} is a {type(value).__name__}, expected an array"))
    if problems:
        fix = "an optimiser state (.pdopt) is not weights: give the .pdparams file"
        raise WeightsError([*problems[:5], Problem(where, f"{len(problems)} entries are no arrays", fix)])
    if not arrays:
        raise WeightsError(Problem(where, "holds no parameter at all", "the prefix used to extract it was wrong"))
    return arrays


def _from_bfloat16(value: NDArray[Any]) -> NDArray[np.float32]:
    """Paddle stores bfloat16 as uint16: the upper half of a float32."""
    return (value.astype(np.uint32) << 16).view(np.float32)
