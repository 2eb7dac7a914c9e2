"""Protobuf's wire format, just enough to read a message whose field numbers are known.

Source: protobuf.dev/programming-guides/encoding. Groups, which nobody writes any more, are refused.
"""

from __future__ import annotations

import struct
from collections import defaultdict

Value = int | bytes
Fields = dict[int, list[Value]]
"""Field number -> its values in file order: an int (varint, or the bits of a fixed number) or bytes."""


def fields(data: bytes) -> Fields:
    """The fields of one message. ValueError when the bytes are no complete message."""
    found: Fields = defaultdict(list)
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        number, kind = key >> 3, key & 7
        value: Value
        if kind == 0:
            value, position = _varint(data, position)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
            value = int.from_bytes(_take(data, position, size), "little")
            position += size
        elif kind == 2:
            size, position = _varint(data, position)
            value = _take(data, position, size)
            position += size
        else:
            raise ValueError(f"wire type {kind} at byte {position}")
        found[number].append(value)
    return found


def messages(found: Fields, number: int) -> list[bytes]:
    """The values of a field that holds messages or bytes."""
    return [value for value in found.get(number, []) if isinstance(value, bytes)]


def text(found: Fields, number: int) -> str:
    """A string field, empty when absent."""
    return b"".join(messages(found, number)[:1]).decode()


def texts(found: Fields, number: int) -> tuple[str, ...]:
    """A repeated string field."""
    return tuple(value.decode() for value in messages(found, number))


def integer(found: Fields, number: int, default: int = 0) -> int:
    """A varint field as a signed 64-bit number; the last value counts."""
    return signed(found[number][-1]) if found.get(number) else default


def integers(found: Fields, number: int) -> tuple[int, ...]:
    """A repeated varint field, packed or not."""
    numbers: list[int] = []
    for value in found.get(number, []):
        if isinstance(value, int):
            numbers.append(signed(value))
            continue
        position = 0
        while position < len(value):
            item, position = _varint(value, position)
            numbers.append(signed(item))
    return tuple(numbers)


def float32(found: Fields, number: int) -> float:
    """A ``float`` field; 0 when absent."""
    bits = found[number][-1] if found.get(number) else 0
    return float(struct.unpack("<f", struct.pack("<I", bits))[0])


def signed(value: Value) -> int:
    """Two's complement of a 64-bit varint."""
    if not isinstance(value, int):
        raise ValueError("expected a number")
    return value - (1 << 64) if value >= 1 << 63 else value


def _varint(data: bytes, position: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        if position >= len(data) or shift > 63:
            raise ValueError(f"the bytes end inside a number at byte {position}")
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, position
        shift += 7


def _take(data: bytes, position: int, size: int) -> bytes:
    if position + size > len(data):
        raise ValueError(f"the bytes end inside a field at byte {position}")
    return data[position : position + size]
