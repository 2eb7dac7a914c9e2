"""What compiled loops read and write: float32, or bfloat16 as the bits that numpy has no type for.

Loops compute in float32 either way: :func:`number` and :func:`line` turn what they read into it, :func:`stored` turns
what they found into an element. numba is told of each by :func:`teach_numba`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Elements = NDArray[Any]  # of float32, or of uint16: the upper half of a float32


def number(element: Any) -> np.float32:
    """The value of an element."""
    return np.float32(element) if isinstance(element, np.float32) else _widened(element)


def stored(value: np.float32, like: Elements) -> Any:
    """``value`` as an element of ``like``; bfloat16 is rounded to the nearest, to even between two."""
    return value if like.dtype == np.float32 else _rounded(value)


def line(elements: Elements, room: NDArray[np.float32]) -> NDArray[np.float32]:
    """The values of ``elements`` (W, C): the array itself, or ``room``, at least as large, filled with them."""
    return elements if elements.dtype == np.float32 else _fill(elements, room)


def values_of(elements: Elements) -> NDArray[np.float32]:
    """All values of an array, outside of compiled loops."""
    return elements if elements.dtype == np.float32 else (elements.astype(np.uint32) << 16).view(np.float32)


def _widened(bits: Any) -> np.float32:
    return np.uint32(np.uint32(bits) << np.uint32(16)).view(np.float32)


def _rounded(value: np.float32) -> np.uint16:
    bits = np.float32(value).view(np.uint32)
    if value != value:  # rounding could make infinity of it
        return np.uint16(0x7FC0)
    return np.uint16(np.uint32(bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16))


def _fill(elements: Elements, room: NDArray[np.float32]) -> NDArray[np.float32]:
    for k in range(elements.shape[0]):
        for c in range(elements.shape[1]):
            room[k, c] = number(elements[k, c])
    return room


@cache
def teach_numba() -> None:
    """Tell numba what the functions above are for each type of element.

    Machine code that it keeps in ``__pycache__`` goes by the files of the loops: delete it after a change here.
    """
    from numba import types
    from numba.extending import overload, register_jitable

    widened: Callable[..., Any] = register_jitable(_widened)
    rounded: Callable[..., Any] = register_jitable(_rounded)
    fill: Callable[..., Any] = register_jitable(_fill)

    @overload(number, strict=False)
    def _(element: Any) -> Callable[..., Any]:
        return (lambda element: element) if isinstance(element, types.Float) else lambda element: widened(element)

    @overload(stored, strict=False)
    def _(value: Any, like: Any) -> Callable[..., Any]:
        is_float = isinstance(like.dtype, types.Float)
        return (lambda value, like: value) if is_float else lambda value, like: rounded(value)

    @overload(line, strict=False)
    def _(elements: Any, room: Any) -> Callable[..., Any]:
        is_float = isinstance(elements.dtype, types.Float)
        return (lambda elements, room: elements) if is_float else lambda elements, room: fill(elements, room)
