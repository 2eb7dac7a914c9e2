"""PaddleOCR's ``LMDBDataSet``: recognition crops and their texts in LMDB, a memory-mapped store in one file.

Keys: ``num-samples`` (decimal), then from 1 on ``image-%09d`` (an encoded image) and ``label-%09d`` (UTF-8), as
PaddleOCR, deep-text-recognition-benchmark and others write them.
Source: PaddleOCR ppocr/data/lmdb_dataset.py at 79f652f5. Unlike there, a record without image or text is an error and
not another sample, ``ratio_list`` counts (there it is read and has no effect), and folders come in the order of their
names rather than of the file system.

The package ``lmdb`` is an extra and is imported when it is needed. Stores are opened read-only and without a lock file,
so that they may lie on a read-only disk and be read by many processes. LMDB demands that no process uses what its
parent opened: a store is opened by each process that reads it, and closed before a process is forked.
"""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from ocrtune.core.errors import DataError, Problem
from ocrtune.core.records import Sample

DATA_FILE = "data.mdb"
_open: dict[Path, Any] = {}  # the environments of this process, by folder


@dataclass(frozen=True, slots=True)
class LmdbImage:
    """An image in a store; see :class:`ocrtune.core.records.ImageFile`."""

    folder: Path
    number: int

    @property
    def name(self) -> str:
        return self.stem

    @property
    def stem(self) -> str:
        return _key("image", self.number)

    def __str__(self) -> str:
        return f"{self.folder}/{self.name}"

    def read_bytes(self) -> bytes:
        """DataError when the store cannot be read or has no such image."""
        import lmdb

        try:
            with _environment(self.folder).begin() as transaction:
                found = transaction.get(self.name.encode())
        except lmdb.Error as error:
            raise DataError(Problem(str(self), f"cannot be read ({error})")) from error
        if found is None:
            raise DataError(Problem(str(self), "is not there any more", "has the store changed since the run began?"))
        content: bytes = found
        return content

    def open(self, mode: Literal["rb"]) -> IO[bytes]:
        return io.BytesIO(self.read_bytes())


def read_samples(folder: Path) -> list[Sample]:
    """Every record as a Sample, in the order of the numbers; the text keeps its spaces.

    Raises one DataError with every bad record (no image, no text, an empty text, not UTF-8), or one when the folder is
    no such store or the package ``lmdb`` is missing.
    """
    folder = folder.absolute()
    try:
        import lmdb
    except ModuleNotFoundError as error:
        what = "LMDBDataSet needs the package lmdb, which is not installed"
        raise DataError(Problem(str(folder), what, "pip install 'ocrtune[lmdb]'")) from error
    problems: list[Problem | str] = []
    samples = []
    try:
        with _environment(folder).begin() as transaction:
            for number in range(1, _count(transaction, folder) + 1):
                sample = _sample(transaction, folder, number, problems)
                if sample is not None:
                    samples.append(sample)
    except lmdb.Error as error:
        what = f"{DATA_FILE} is not an LMDB store, or damaged ({error})"
        raise DataError(Problem(str(folder), what)) from error
    if problems:
        raise DataError(problems)
    return samples


def _sample(transaction: Any, folder: Path, number: int, problems: list[Problem | str]) -> Sample | None:
    source = f"{folder}:{number}"
    label = transaction.get(_key("label", number).encode())
    if label is None or not transaction.cursor().set_key(_key("image", number).encode()):  # the pixels are not read
        what = f"it has no {_key('label' if label is None else 'image', number)}"
        problems.append(Problem(source, what, "write the store anew without this record, and num-samples one less"))
        return None
    try:
        text = label.decode()
    except UnicodeDecodeError:
        problems.append(Problem(source, f"{_key('label', number)} is not UTF-8"))
        return None
    if not text.strip():
        problems.append(Problem(source, "the text is empty", "write the store anew without this record"))
        return None
    return Sample(source, LmdbImage(folder, number), text=text)


def _count(transaction: Any, folder: Path) -> int:
    found = transaction.get(b"num-samples")
    text = (found or b"").decode(errors="replace")
    if not text.isdecimal() or int(text) == 0:
        what = f"its num-samples is {text!r}, expected a number above 0" if found else "it has no key num-samples"
        fix = "LMDBDataSet reads num-samples, image-000000001, label-000000001, image-000000002 ..."
        raise DataError(Problem(str(folder), what, fix))
    return int(text)


def _key(kind: str, number: int) -> str:
    return f"{kind}-{number:09d}"


def _environment(folder: Path) -> Any:
    """The store, opened if this process has not yet."""
    import lmdb

    if folder in _open:
        return _open[folder]
    environment = lmdb.open(str(folder), readonly=True, lock=False, readahead=False, create=False)
    told = (environment.info()["last_pgno"] + 1) * environment.stat()["psize"]
    size = (folder / DATA_FILE).stat().st_size
    if size < told:  # reading on would end the process: the file is mapped into memory
        environment.close()
        raise DataError(Problem(str(folder), f"{DATA_FILE} is cut off: {size:,} of {told:,} bytes", "copy it again"))
    _open[folder] = environment
    return environment


def _close_all() -> None:
    while _open:
        _open.popitem()[1].close()


if hasattr(os, "register_at_fork"):  # where processes can be forked
    os.register_at_fork(before=_close_all)
