"""Finding the image that a label belongs to."""

from __future__ import annotations

from pathlib import Path

from ocrtune.core.errors import DataError, Problem

_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff"})


class ImageIndex:
    """The images in a folder and the folders below it, by name.

    skip_missing: a label without an image is left out and counted, instead of being an error.
    DataError for a folder without images.
    """

    def __init__(self, folder: Path, skip_missing: bool = False):
        self.folder = folder
        self.missing = 0
        self._skip = skip_missing
        files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES)
        if not files:
            raise DataError(Problem(str(folder), "no folder with images"))
        self._found: dict[str, list[Path]] = {}
        for path in files:
            self._found.setdefault(path.stem, []).append(path)
            self._found.setdefault(path.name, []).append(path)

    def find(self, name: str, source: str, problems: list[Problem | str]) -> Path | None:
        """The absolute path of the image called ``name``, with or without its suffix; None where there is none."""
        found = self._found.get(name, [])
        if len(found) > 1:
            problems.append(Problem(source, f"{len(found)} images are called {name}: {found[0]}, {found[1]}"))
            return None
        if found:
            return found[0].absolute()
        self.missing += 1
        if not self._skip:
            fix = "give the folder with all images, or --skip-missing"
            problems.append(Problem(source, f"no image called {name} in {self.folder}", fix))
        return None
