"""Pickles of numpy arrays in plain containers, read without running code.

A pickle can call any function it names, so the reader resolves only what numpy arrays and plain containers need and
refuses every other name. PaddlePaddle's ``.pdparams`` and PaddleOCR's class centres are such files.
"""

from __future__ import annotations

import codecs
import collections
import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ocrtune.core.errors import Problem, WeightsError


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


def read_pickle(path: Path | str) -> Any:
    """What a pickle of arrays, texts, numbers and plain containers holds; WeightsError for any other pickle."""
    where = str(path)
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise WeightsError(Problem(where, f"cannot read the weights ({error.strerror})")) from error
    try:
        return _Unpickler(io.BytesIO(data), encoding="latin1").load()
    except _Refused as error:
        what = f"refused: the file asks for {error}, which no weights file needs"
        raise WeightsError(Problem(where, what, "do not use this file; get the weights from their author")) from error
    except Exception as error:  # a damaged pickle can raise almost anything
        what = f"not a complete {Path(path).suffix} file ({type(error).__name__} after {len(data)} bytes)"
        raise WeightsError(Problem(where, what, "the download may have been cut off: fetch it again")) from error
