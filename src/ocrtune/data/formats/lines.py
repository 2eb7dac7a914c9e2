"""What PaddleOCR's two label formats share: lines of ``image<TAB>label`` and the images they name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from ocrtune.core.errors import DataError, Problem


def read_lines(path: Path) -> Iterator[tuple[str, str]]:
    """(``file:line``, line) of every line that is not blank; UTF-8 with or without byte-order mark, LF or CRLF.

    Raises DataError when the file cannot be read, is not UTF-8, or holds no line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(Problem(str(path), f"cannot read the label file ({error.strerror})")) from error
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise DataError(Problem(f"{path}:{line}", "the label file is not UTF-8", "save it as UTF-8")) from error
    lines = [(f"{path}:{number}", line.removesuffix("\r")) for number, line in enumerate(text.split("\n"), start=1)]
    lines = [(source, line) for source, line in lines if line.strip()]
    if not lines:
        raise DataError(Problem(str(path), "the label file is empty", "one line per image: path, tab, label"))
    yield from lines


def split_line(line: str, source: str, delimiter: str, problems: list[Problem | str]) -> tuple[str, str] | None:
    """(image field, label field); None, and a problem noted, when the delimiter is missing."""
    image, found, label = line.partition(delimiter)
    if not found:
        what = f"no {_name(delimiter)} between image and label: {_short(line)}"
        problems.append(Problem(source, what, f"write: path, {_name(delimiter)}, label"))
        return None
    return image.strip(), label


def find_images(field: str, data_dir: Path, source: str, problems: list[Problem | str]) -> tuple[Path, ...]:
    """Absolute paths named by the first field: one path, or a JSON list of images that share the label.

    Empty, and a problem noted, when one of them does not exist. Source of the list form: PaddleOCR
    ppocr/data/simple_dataset.py ``_try_parse_filename_list`` at 79f652f5.
    """
    names = [field]
    if field.startswith("[") and not (data_dir / field).exists():
        try:
            parsed = json.loads(field)
        except json.JSONDecodeError:
            parsed = None
        if not isinstance(parsed, list) or not parsed or not all(isinstance(name, str) for name in parsed):
            what = f'the list of images is not JSON text such as ["1.jpg", "2.jpg"]: {_short(field)}'
            problems.append(Problem(source, what))
            return ()
        names = parsed
    paths = tuple((data_dir / name).absolute() for name in names)
    missing = [path for path in paths if not path.is_file()]
    for path in missing:
        problems.append(Problem(source, f"no such image: {path}", "paths start from data_dir"))
    return () if missing else paths


def _name(delimiter: str) -> str:
    return "tab" if delimiter == "\t" else repr(delimiter)


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
