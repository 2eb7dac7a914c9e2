"""Finding and reading the images that a user wants predicted."""

from __future__ import annotations

from pathlib import Path

from ocrtune.core.errors import DataError, Problem
from ocrtune.core.records import Image, ImageFile
from ocrtune.data.image_file import read_image as _read

EXTENSIONS = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})


def list_images(source: Path, exclude: Path | None = None) -> list[Path]:
    """The image files of ``source``, sorted; a single file is itself, whatever its extension.

    A folder is searched with its sub-folders, without hidden ones and without ``exclude`` (the output folder).

    Raises DataError when ``source`` does not exist or holds no image.
    """
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise DataError(Problem(str(source), "no such file or folder"))
    skipped = exclude.resolve() if exclude is not None else None
    found = [
        path
        for path in sorted(source.rglob("*"))
        if path.suffix.lower() in EXTENSIONS
        and not any(part.startswith(".") for part in path.relative_to(source).parts)
        and not (skipped is not None and skipped != source.resolve() and skipped in path.resolve().parents)
        and path.is_file()
    ]
    if not found:
        raise DataError(Problem(str(source), "holds no image", f"looked for {', '.join(sorted(EXTENSIONS))}"))
    return found


def read_image(path: ImageFile) -> Image:
    """(H, W, 3) uint8 BGR, turned upright by its EXIF tag; DataError when it cannot be read or decoded."""
    return _read(path, "image")
