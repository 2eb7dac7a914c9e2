"""Loops as machine code, where numba (the ``train`` extra) is installed."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any


@cache
def compiled(loops: Callable[..., Any], otherwise: Callable[..., Any]) -> Callable[..., Any]:
    """``loops``, written in the Python that numba compiles, holding no lock while it runs; else ``otherwise``."""
    try:
        import numba
    except ImportError:
        return otherwise
    found: Callable[..., Any]
    try:
        found = numba.njit(cache=True, nogil=True, error_model="numpy")(loops)
    except RuntimeError:  # neither the package's folder nor the user's cache folder can be written
        found = numba.njit(nogil=True, error_model="numpy")(loops)
    return found
