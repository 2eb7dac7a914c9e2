"""An image inside a tar, read at its offset."""

from __future__ import annotations

import io
import os
import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Literal

from ocrtune.core.errors import DataError, Problem

_IN_HEADER = 100  # bytes of a name in a tar header; longer ones, and those with other letters, stand before it


@dataclass(frozen=True, slots=True)
class TarImage:
    """A member of a shard; see :class:`ocrtune.core.records.ImageFile`.

    member: its whole name. offset, size: of its bytes. Each reading opens the shard, as it would a file of a folder, so
    that processes share no file position.
    """

    shard: Path
    member: str
    offset: int
    size: int

    @property
    def name(self) -> str:
        return PurePosixPath(self.member).name

    @property
    def stem(self) -> str:
        return PurePosixPath(self.member).stem

    def __str__(self) -> str:
        return f"{self.shard}/{self.member}"

    def read_bytes(self) -> bytes:
        """DataError when the shard no longer has this member at this place."""
        with self._opened() as file:
            return file.read(self.size)

    def open(self, mode: Literal["rb"]) -> IO[bytes]:
        return io.BufferedReader(_Window(self._opened(), self.offset, self.size))

    def _opened(self) -> IO[bytes]:
        """The shard, at the member's bytes."""
        try:
            file = self.shard.open("rb")
        except OSError as error:
            raise DataError(Problem(str(self), f"cannot read the shard ({error.strerror})")) from error
        fault = self._fault(file)
        if fault:
            file.close()
            fix = f"the shard was cut off or changed; {make_index(self.shard.parent)}"
            raise DataError(Problem(str(self), fault, fix))
        return file

    def _fault(self, file: IO[bytes]) -> str:
        """Why the member is not whole at its place, going by the tar header before it; leaves ``file`` behind that."""
        file.seek(max(self.offset - tarfile.BLOCKSIZE, 0))
        try:
            header = tarfile.TarInfo.frombuf(file.read(tarfile.BLOCKSIZE), "utf-8", "surrogateescape")
        except tarfile.HeaderError as error:
            return f"no tar header before its bytes ({error})"
        named = self.member.isascii() and len(self.member) <= _IN_HEADER
        if header.size != self.size or (named and header.name != self.member):
            return f"at its place the shard has {header.name} of {header.size:,} bytes"
        missing = self.offset + self.size - os.fstat(file.fileno()).st_size
        return f"the shard ends {missing:,} bytes before this member does" if missing > 0 else ""


def make_index(folder: Path) -> str:
    """What to do about an index that does not fit the shards of ``folder``."""
    return f"if the shards are as they should be: ocrtune pack --index {folder}"


class _Window(io.RawIOBase):
    """``size`` bytes of ``file`` from ``start`` on, as a file of its own."""

    def __init__(self, file: IO[bytes], start: int, size: int):
        self._file, self._start, self._size, self._at = file, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(origin + offset, 0)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed's WriteableBuffer is private
        self._file.seek(self._start + self._at)
        content = self._file.read(min(len(buffer), max(self._size - self._at, 0)))
        buffer[: len(content)] = content
        self._at += len(content)
        return len(content)

    def close(self) -> None:
        self._file.close()
        super().close()
