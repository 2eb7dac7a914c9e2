"""A label file and its images -> shards."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Literal

from ocrtune.core.errors import DataError, Problem
from ocrtune.core.records import ImageFile, Sample
from ocrtune.data.formats import paddle_det, paddle_rec
from ocrtune.data.formats.lines import read_lines
from ocrtune.data.tar_shards.index import IMAGES, INDEX, LABELS, SHARDS, write_index

Task = Literal["det", "rec"]
Progress = Callable[[Sequence[Sample]], Iterable[Sample]]
_READERS = {"det": paddle_det.read_labels, "rec": paddle_rec.read_labels}
_END = 2 * tarfile.BLOCKSIZE


@dataclass(frozen=True)
class Packed:
    """shards: files written. samples: lines of the label file, each a key."""

    task: Task
    shards: int
    samples: int


def pack(
    labels: Path, data_dir: Path, output: Path, *, shard_size: int, task: Task | None = None, progress: Progress = iter
) -> Packed:
    """Write ``output/000000.tar``, ``000001.tar`` ... and their index. The images go in byte for byte; a key is the
    number of its line in ``labels``.

    shard_size: bytes that a shard should not exceed; it holds one line at least. task: None asks the first line.
    Raises one DataError with every bad line or missing image, or when ``output`` holds shards already.
    """
    task = task or guess_task(labels)
    samples = _READERS[task](labels, data_dir)
    output.mkdir(parents=True, exist_ok=True)
    if any(output.glob(SHARDS)) or (output / INDEX).exists():
        raise DataError(Problem(str(output), "holds shards already", "give an empty folder, or delete them first"))
    raw = {source: line.partition("\t")[2] for source, line in read_lines(labels)} if task == "det" else {}
    _check_formats(samples)
    keys = ((sample, raw.get(sample.source, sample.text or "")) for sample in progress(samples))
    shards = 0
    for shard, parts in groupby(_shared(keys, LABELS[task], shard_size), key=itemgetter(0)):
        _write(output / f"{shard:06d}.tar", (member for _, members in parts for member in members))
        shards += 1
    write_index(output)
    return Packed(task, shards, len(samples))


def guess_task(labels: Path) -> Task:
    """Detection when the label of the first line is a JSON list of texts with points; else recognition."""
    _, line = next(read_lines(labels))
    with suppress(json.JSONDecodeError):
        label = json.loads(line.partition("\t")[2])
        if isinstance(label, list) and all(isinstance(text, dict) and "points" in text for text in label):
            return "det"
    return "rec"


_Member = tuple[str, bytes]


def _shared(keys: Iterable[tuple[Sample, str]], extension: str, limit: int) -> Iterator[tuple[int, list[_Member]]]:
    """(number of the shard, members of one key)."""
    shard, filled = 0, _END
    for sample, label in keys:
        number = int(sample.source.rpartition(":")[2])
        members = [*_images(sample, f"{number:09d}"), (f"{number:09d}.{extension}", label.encode())]
        size = sum(_padded(len(content)) for _, content in members)
        if filled > _END and filled + size > limit:
            shard, filled = shard + 1, _END
        filled += size
        yield shard, members


def _check_formats(samples: Sequence[Sample]) -> None:
    """In a shard only the extension says that a member is an image."""
    problems = [
        Problem(sample.source, f"{image} has no extension of an image", f"known: {', '.join(sorted(IMAGES))}")
        for sample in samples
        for image in (sample.image_path, *sample.alternatives)
        if _extension(image) not in IMAGES
    ]
    if problems:
        raise DataError(problems)


def _extension(image: ImageFile) -> str:
    return image.name.rpartition(".")[2].lower()


def _images(sample: Sample, key: str) -> Iterator[_Member]:
    for i, image in enumerate((sample.image_path, *sample.alternatives)):
        place = f".{i}" if i else ""
        try:
            yield f"{key}{place}.{_extension(image)}", image.read_bytes()
        except OSError as error:
            raise DataError(Problem(sample.source, f"cannot read {image} ({error.strerror})")) from error


def _padded(size: int) -> int:
    """Bytes that a member takes: its header, and its content in whole blocks."""
    return tarfile.BLOCKSIZE * (1 + -(-size // tarfile.BLOCKSIZE))


def _write(path: Path, members: Iterable[_Member]) -> None:
    """A tar that appears whole or not at all; equal members give equal bytes."""
    partial = path.with_name(f".{path.name}.partial")
    with tarfile.open(partial, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    partial.replace(path)
