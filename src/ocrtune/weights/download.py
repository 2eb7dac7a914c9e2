"""Fetch a checkpoint into the cache: resumed where it broke off, checked, unpacked without trust."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tarfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import Any

from tqdm import tqdm

from ocrtune import __version__
from ocrtune.core.errors import Problem, WeightsError
from ocrtune.core.files import write_whole
from ocrtune.weights.checkpoints import Checkpoint, weights_in

RECORD = "record.json"
_ATTEMPTS = 4
_TIMEOUT = 30.0  # seconds without a byte
_BLOCK = 1 << 18
_KEPT = (".pdparams", ".yml", ".yaml", ".txt")  # of a tar; optimiser states are of no use here
_LARGEST_UNPACKED = 8 << 30


@dataclass(frozen=True)
class Pulled:
    """What :func:`pull` found or fetched. files: every ``.pdparams``. notes: what a user should know."""

    files: tuple[Path, ...]
    sha256: str
    notes: tuple[str, ...]


def pull(checkpoint: Checkpoint) -> Pulled:
    """Fetch ``checkpoint`` unless it is in the cache, check it and unpack it.

    A cut connection is resumed, in this call or the next. Size and SHA-256 are checked; where upstream publishes no
    SHA-256, the one of the first download is kept and later downloads are compared with it.
    WeightsError when the server cannot be reached, has no such file, or sends something else; nothing is unpacked then.
    """
    folder = checkpoint.folder()
    target = folder / checkpoint.file_name
    recorded = _recorded(folder)
    notes = []
    if target.is_file():
        notes.append("already in the cache: nothing was fetched")
    else:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _fetch(checkpoint, target)
        except OSError as error:
            what = f"cannot be written ({error.strerror})"
            raise WeightsError(Problem(str(folder), what, "set OCRTUNE_CACHE to another folder")) from error
    digest = _digest(target)
    expected = checkpoint.sha256 or recorded
    if expected is not None and digest != expected:
        target.unlink()
        origin = "published" if checkpoint.sha256 else "of the first download"
        what = f"has SHA-256 {digest}, the one {origin} is {expected}; it was removed"
        fix = f"pull again; if the file upstream changed on purpose, delete {folder / RECORD} first"
        raise WeightsError(Problem(checkpoint.url, what, fix))
    if expected is None:
        notes.append("PaddleOCR publishes no checksum: the SHA-256 of this first download is recorded")
    _record(folder, {"url": checkpoint.url, "sha256": digest, "size": target.stat().st_size})
    if target.suffix == ".tar":
        unpack(target, folder)
    files = tuple(weights_in(folder))
    if not files:
        raise WeightsError(Problem(str(target), "holds no .pdparams"))
    return Pulled(files, digest, tuple(notes))


def unpack(archive: Path, folder: Path) -> list[Path]:
    """Unpack the weights and configs of a tar below ``folder``; what was written.

    WeightsError, before anything is written, when an entry would land outside ``folder``, is a link or a device, or
    when the whole is larger than 8 GiB.
    """
    where = str(archive)
    try:
        with tarfile.open(archive) as tar:
            members = [member for member in tar if not member.isdir()]
            refused = [Problem(where, f"{member.name!r} {why}") for member in members if (why := _refusal(member))]
            if sum(member.size for member in members) > _LARGEST_UNPACKED:
                refused.append(Problem(where, "unpacks to more than 8 GiB"))
            if refused:
                raise WeightsError(refused)
            return [
                _written(tar, member, folder)
                for member in members
                if PurePosixPath(member.name).suffix in _KEPT and not PurePosixPath(member.name).name.startswith(".")
            ]
    except (tarfile.TarError, EOFError) as error:
        raise WeightsError(Problem(where, f"not a complete tar ({error})", "delete it and pull again")) from error


def _refusal(member: tarfile.TarInfo) -> str | None:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or "\\" in member.name or ":" in member.name:
        return "would be written outside the folder"
    return None if member.isreg() else "is a link or a device, not a file"


def _written(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> Path:
    target = folder.joinpath(*PurePosixPath(member.name).parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    source = tar.extractfile(member)
    assert source is not None  # regular files only
    partial = target.with_name(f".{target.name}.partial")
    with source, partial.open("wb") as stream:
        shutil.copyfileobj(source, stream)
    os.replace(partial, target)
    return target


def _fetch(checkpoint: Checkpoint, target: Path) -> None:
    """Download to ``.part`` beside the target, going on where an earlier attempt stopped, then rename it."""
    part = target.with_name(target.name + ".part")
    failure: Exception | None = None
    for _ in range(_ATTEMPTS):
        before = part.stat().st_size if part.exists() else 0
        try:
            size = _receive(checkpoint, part)
        except urllib.error.HTTPError as error:
            if error.code == 416 and part.exists():  # the part is longer than the file: another file
                part.unlink()
                continue
            what = f"the server answers {error.code} {error.reason}"
            raise WeightsError(Problem(checkpoint.url, what, _by_hand(checkpoint, target))) from error
        except (OSError, HTTPException) as error:
            if isinstance(error, OSError) and error.filename is not None:
                raise  # the disk, not the network
            failure = error
            if not part.exists() or part.stat().st_size == before:
                break  # no progress: offline
            continue
        if part.stat().st_size == size:
            os.replace(part, target)
            part.with_name(part.name + ".tag").unlink(missing_ok=True)
            return
        failure = failure or OSError(f"{part.stat().st_size} of {size} bytes arrived")
    reason = getattr(failure, "reason", failure)
    what = f"cannot be fetched ({reason})"
    raise WeightsError(Problem(checkpoint.url, what, _by_hand(checkpoint, target))) from failure


def _receive(checkpoint: Checkpoint, part: Path) -> int:
    """Append to ``part`` what it lacks; the size that the server says the file has."""
    start = part.stat().st_size if part.exists() else 0
    tag_file = part.with_name(part.name + ".tag")
    headers = {"User-Agent": f"ocrtune/{__version__}", "Accept-Encoding": "identity"}
    if start and tag_file.is_file():
        headers |= {"Range": f"bytes={start}-", "If-Range": tag_file.read_text(encoding="utf-8")}
    else:
        start = 0
    request = urllib.request.Request(checkpoint.url, headers=headers)
    with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:
        if answer.status != 206:  # the whole file: it changed, or the server cannot resume
            start = 0
        length = answer.headers.get("Content-Length")
        if length is None:
            raise WeightsError(Problem(checkpoint.url, "the server does not say how large the file is"))
        size = start + int(length)
        if tag := answer.headers.get("ETag") or answer.headers.get("Last-Modified"):
            tag_file.write_text(tag, encoding="utf-8")
        with (
            part.open("ab" if start else "wb") as stream,
            tqdm(total=size, initial=start, unit="B", unit_scale=True, desc=checkpoint.name, delay=2) as bar,
        ):
            while block := answer.read(_BLOCK):
                stream.write(block)
                bar.update(len(block))
    return size


def _by_hand(checkpoint: Checkpoint, target: Path) -> str:
    return (
        f"fetch it where there is a network, curl -L -o {checkpoint.file_name} '{checkpoint.url}', and put it at "
        f"{target}; or give any weights file as Global.pretrained_model"
    )


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def _recorded(folder: Path) -> str | None:
    try:
        found = json.loads((folder / RECORD).read_text(encoding="utf-8"))["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, str) else None


def _record(folder: Path, content: dict[str, Any]) -> None:
    write_whole(folder / RECORD, (json.dumps(content, indent=2) + "\n").encode())
