"""LMDB stores and tars for the tests, written as PaddleOCR's and webdataset's users write them."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import lmdb


def write_lmdb(folder: Path, crops: Sequence[tuple[bytes, str]], **keys: bytes | None) -> Path:
    """A store of (encoded image, text). keys: further ones with their value, ``_`` for ``-``; None leaves one out."""
    folder.mkdir(parents=True)
    values: dict[str, bytes | None] = {"num-samples": str(len(crops)).encode()}
    for number, (image, text) in enumerate(crops, start=1):
        values[f"image-{number:09d}"], values[f"label-{number:09d}"] = image, text.encode()
    values |= {key.replace("_", "-"): value for key, value in keys.items()}
    environment = lmdb.open(str(folder), map_size=1 << 24)
    with environment.begin(write=True) as transaction:
        for key, value in values.items():
            if value is not None:
                transaction.put(key.encode(), value)
    environment.close()
    return folder


def labelled_files(labels: Path) -> list[tuple[bytes, str]]:
    """(encoded image, label) of each line."""
    lines = [line.split("\t") for line in labels.read_text(encoding="utf-8").splitlines()]
    return [((labels.parent / name).read_bytes(), label) for name, label in lines]


def write_tar(path: Path, members: Mapping[str, bytes], form: int = tarfile.GNU_FORMAT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=form) as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path
