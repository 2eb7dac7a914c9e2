"""How the outputs and metrics of several networks in one mapping are named: ``Student/ctc``, ``Teacher/hmean``.

The name of the network, a slash, and what the network alone calls it. The slash keeps them apart from names of
parameters (``Student.backbone.…``), which follow PaddleOCR.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")

SEPARATOR = "/"


def qualified(network: str, values: Mapping[str, T]) -> dict[str, T]:
    """``values`` of one network, under the names that they have among several."""
    return {f"{network}{SEPARATOR}{name}": value for name, value in values.items()}


def part_of(values: Mapping[str, T], network: str) -> dict[str, T]:
    """What ``values`` hold of one network, under its own names; the inverse of :func:`qualified`."""
    prefix = network + SEPARATOR
    return {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}


def plain(name: str) -> str:
    """The name without its network."""
    return name.rpartition(SEPARATOR)[2]
