"""RCTW-17, MTWI 2018, ICDAR 2015: one text file per image, one line per text, ``x1,y1,...,x4,y4[,difficult],text``.

RCTW's lines hold a flag, and its texts stand in quotes; a text may itself hold commas. MTWI's coordinates are fractions
of a pixel. ICDAR 2015 calls the file of ``img_1.jpg`` ``gt_img_1.txt``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ocrtune.core.errors import DataError, Problem
from ocrtune.core.records import Sample, TextInstance
from ocrtune.data.formats.paddle_det import IGNORED_TEXTS
from ocrtune.data.public.images import ImageIndex
from ocrtune.data.public.polygons import polygon_of

_COORDINATES = 8


@dataclass(frozen=True)
class TextFiles:
    """difficult: a 0 or 1 stands before the text. quoted: the text stands in quotes. prefix: of the label file's name
    before that of its image."""

    difficult: bool = False
    quoted: bool = False
    prefix: str = ""

    def read(self, labels: Path, images: ImageIndex) -> list[Sample]:
        """Every ``.txt`` file of the folder ``labels``; an empty one is a page without text.

        One DataError with every bad line and every file without an image.
        """
        files = sorted(labels.glob("*.txt")) if labels.is_dir() else []
        if not files:
            raise DataError(Problem(str(labels), "no folder with .txt files", "one label file per image is expected"))
        problems: list[Problem | str] = []
        samples = []
        for file in files:
            image = images.find(file.stem.removeprefix(self.prefix), str(file), problems)
            texts = self._texts(file, problems)
            if image is not None:
                samples.append(Sample(str(file), image, instances=tuple(texts)))
        if problems:
            raise DataError(problems)
        return samples

    def _texts(self, file: Path, problems: list[Problem | str]) -> list[TextInstance]:
        try:
            lines = file.read_text(encoding="utf-8-sig").split("\n")  # texts may hold other line separators
        except (OSError, UnicodeDecodeError) as error:
            problems.append(Problem(str(file), f"cannot be read as UTF-8 text ({error})"))
            return []
        numbered = [(f"{file}:{number}", line) for number, line in enumerate(lines, start=1) if line.strip()]
        texts = [self._text(line, source, problems) for source, line in numbered]
        return [text for text in texts if text is not None]

    def _text(self, line: str, source: str, problems: list[Problem | str]) -> TextInstance | None:
        before = _COORDINATES + self.difficult
        fields = line.split(",", before)
        if len(fields) <= before:
            problems.append(Problem(source, f"{len(fields)} fields, expected {before + 1}: {line!r:.60}"))
            return None
        polygon = polygon_of(list(zip(fields[0:_COORDINATES:2], fields[1:_COORDINATES:2])), source, problems)
        text = fields[before].strip()
        if self.quoted and len(text) > 1 and text[0] == text[-1] == '"':
            text = text[1:-1]
        ignore = text in IGNORED_TEXTS or (self.difficult and fields[_COORDINATES].strip() == "1")
        return None if polygon is None else TextInstance(polygon, text, ignore)


READERS: dict[str, Callable[[Path, ImageIndex], list[Sample]]] = {
    "rctw": TextFiles(difficult=True, quoted=True).read,
    "mtwi": TextFiles().read,
    "icdar2015": TextFiles(prefix="gt_").read,
}
