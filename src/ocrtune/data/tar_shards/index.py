"""The index of a folder of shards: where the images lie, and the labels."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ocrtune.core.errors import DataError, Problem
from ocrtune.core.files import write_whole
from ocrtune.data.tar_shards.image import make_index

INDEX = "index.jsonl"
SHARDS = "*.tar"
LABELS = {"rec": "txt", "det": "json"}  # task -> extension of the label's member
IMAGES = frozenset({"bmp", "jpeg", "jpg", "png", "tif", "tiff", "webp"})
_VERSION = 1


@dataclass(frozen=True)
class Record:
    """A key of a shard. images: (member, offset, size) of each. labels: by extension (LABELS)."""

    shard: str
    key: str
    images: tuple[tuple[str, int, int], ...]
    labels: dict[str, str]


@dataclass(frozen=True)
class _Shard:
    """A shard when its index was made. changed: its time stamp in nanoseconds."""

    name: str
    size: int
    changed: int


def write_index(folder: Path, progress: Callable[[Sequence[Path]], Iterable[Path]] = iter) -> int:
    """Read every shard of ``folder`` and write ``index.jsonl``. Returns how many keys there are.

    Raises one DataError with everything that is wrong with the shards; no index is written then.
    """
    problems: list[Problem | str] = []
    paths = _shards(folder)
    if not paths:
        raise DataError(Problem(str(folder), "no shard (*.tar) in this folder"))
    states = [_state(path) for path in paths]
    records = [record for path in progress(paths) for record in scan(path, problems)]
    if problems:
        raise DataError(problems)
    head = {"ocrtune_index": _VERSION, "shards": [asdict(state) for state in states]}
    lines = [head, *(asdict(record) for record in records)]
    write_whole(folder / INDEX, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode())
    return len(records)


def read_index(folder: Path) -> list[Record]:
    """Every key of the shards, shard after shard, in their order.

    The shards must be those that the index was made of. Where only time stamps differ, as after copying, the shard is
    read anew and compared. Raises DataError when they are not, or when the index cannot be understood.
    """
    path = folder / INDEX
    try:
        head, *lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
        if json.loads(head)["ocrtune_index"] != _VERSION:
            raise ValueError("of another version")
        states = [_Shard(**state) for state in json.loads(head)["shards"]]
        records = [_record(json.loads(line)) for line in lines]
    except FileNotFoundError as error:
        raise DataError(Problem(str(path), "the shards have no index", make_index(folder))) from error
    except OSError as error:
        raise DataError(Problem(str(path), f"cannot read the index ({error.strerror})")) from error
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(Problem(str(path), f"not an index of shards ({error})", make_index(folder))) from error
    _check_shards(folder, states, records)
    return records


def scan(path: Path, problems: list[Problem | str]) -> list[Record]:
    """The keys of one shard, in order; what is wrong is noted.

    Nothing is extracted, so no name of a member is ever a path; links and devices are refused.
    """
    records: list[Record] = []
    seen: set[str] = set()
    for key, members in _keys(path, problems):
        images = tuple((name, offset, size) for name, extension, offset, size, _ in members if extension in IMAGES)
        labels = {extension: text for _, extension, _, _, text in members if text is not None}
        where = f"{path}/{key}"
        if key in seen:
            problems.append(Problem(where, "the key occurs twice", "members of a key must follow each other"))
        elif not images:
            problems.append(Problem(where, "a label without an image, or an image of a format that is not read"))
        elif not labels:
            problems.append(
                Problem(where, f"an image without a label, {key}.txt (recognition) or {key}.json (detection)")
            )
        seen.add(key)
        records.append(Record(path.name, key, images, labels))
    return records


_Member = tuple[str, str, int, int, "str | None"]  # name, extension, offset, size, text of a label


def _keys(path: Path, problems: list[Problem | str]) -> Iterator[tuple[str, list[_Member]]]:
    """The members of ``path`` that are an image or a label, by key; others, and names without a key, are left out."""
    key, members = "", list[_Member]()
    for name, offset, size, read in _members(path, problems):
        own, extension = _split(name)
        text = None
        if extension in LABELS.values():
            try:
                text = read().decode("utf-8-sig")
            except UnicodeDecodeError:
                problems.append(Problem(f"{path}/{name}", "the label is not UTF-8"))
                text = ""
        elif extension not in IMAGES or not own:
            continue
        if own != key and members:
            yield key, members
            members = []
        key = own
        members.append((name, extension, offset, size, text))
    if members:
        yield key, members


def _members(path: Path, problems: list[Problem | str]) -> Iterator[tuple[str, int, int, Callable[[], bytes]]]:
    """(name, offset, size, its bytes when asked) of every plain member."""
    last = ""
    try:
        size = path.stat().st_size
        with tarfile.open(path, "r:", encoding="utf-8") as tar:
            for member in tar:
                last = member.name
                if member.isdir():
                    continue
                if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.issparse():
                    problems.append(Problem(f"{path}/{last}", "a link or device, expected a plain file"))
                    continue
                end = member.offset_data + member.size
                if end > size:
                    what = f"the shard is cut off: it ends {end - size:,} bytes before this member does"
                    problems.append(Problem(f"{path}/{last}", what, "copy or pack it again"))
                    return
                source = tar.extractfile(member)
                assert source is not None  # of a plain file there is one
                yield last, member.offset_data, member.size, source.read
            if not _ends_at(path, tar.offset):  # tarfile takes a header that it cannot read for the end
                what = "the shard is cut off after this member: a tar ends with a block of zeros"
                problems.append(Problem(f"{path}/{last}", what, "copy or pack it again"))
    except (tarfile.TarError, EOFError) as error:
        where, what = (
            (f"{path}/{last}", f"not a tar from here on ({error})") if last else (str(path), f"not a tar ({error})")
        )
        problems.append(Problem(where, what, "shards are uncompressed tars; copy or pack it again"))
    except OSError as error:
        problems.append(Problem(str(path), f"cannot read the shard ({error.strerror})"))


def _ends_at(path: Path, offset: int) -> bool:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(tarfile.BLOCKSIZE) == tarfile.NUL * tarfile.BLOCKSIZE


def _split(member: str) -> tuple[str, str]:
    """(key, last extension): webdataset's convention, which keeps the folder in the key; no key for ``.name``."""
    path = PurePosixPath(member)
    stem, _, extensions = path.name.partition(".")
    return (path.parent / stem).as_posix() if stem else "", extensions.rpartition(".")[2].lower()


def _record(raw: dict[str, Any]) -> Record:
    images = tuple((str(name), int(offset), int(size)) for name, offset, size in raw["images"])
    return Record(str(raw["shard"]), str(raw["key"]), images, {str(k): str(v) for k, v in dict(raw["labels"]).items()})


def _check_shards(folder: Path, states: Sequence[_Shard], records: Sequence[Record]) -> None:
    """The shards are those of the index, and the index speaks of no other file."""
    paths = {path.name: path for path in _shards(folder)}
    names = [state.name for state in states]
    problems: list[Problem | str] = []
    for name in sorted(paths.keys() ^ set(names)):
        what = f"it is not in {INDEX}" if name in paths else f"the shard is missing, but it is in {INDEX}"
        problems.append(Problem(str(folder / name), what, make_index(folder)))
    known: dict[str, list[Record]] = {name: [] for name in names}
    for record in records:
        known.setdefault(record.shard, []).append(record)
    if len(known) > len(names):
        problems.append(Problem(str(folder / INDEX), "it names shards that it does not list", make_index(folder)))
    for state in states if not problems else ():
        now = _state(paths[state.name])
        if now == state:
            continue
        if now.size != state.size or scan(paths[state.name], []) != known[state.name]:
            what = f"the shard has changed since {INDEX} was made"
            problems.append(Problem(str(paths[state.name]), what, make_index(folder)))
    if problems:
        raise DataError(problems)


def _shards(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob(SHARDS) if path.is_file() and not path.name.startswith("."))


def _state(path: Path) -> _Shard:
    found = path.stat()
    return _Shard(path.name, found.st_size, found.st_mtime_ns)
