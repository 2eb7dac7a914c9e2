"""Models inside installed wheels: where the file is, what it expects, what it gives. Imports no torch.

The entries are in ``catalogue_table``.
"""

from __future__ import annotations

import functools
from pathlib import Path

from ocrtune.core.charset import Charset
from ocrtune.core.errors import Problem, WeightsError, did_you_mean
from ocrtune.weights.catalogue_entry import CatalogueEntry as CatalogueEntry
from ocrtune.weights.catalogue_entry import Wheel as Wheel
from ocrtune.weights.catalogue_table import ENTRIES

ONNX_CHARACTER_KEY = "character"
"""ONNX metadata key that holds the dictionary, one character per line, without blank and without the space."""


def names() -> list[str]:
    """All names that :func:`find` knows, sorted."""
    return sorted(ENTRIES)


def find(name: str) -> CatalogueEntry:
    """The entry called ``name``; WeightsError with the closest name otherwise. The wheel need not be installed."""
    if name not in ENTRIES:
        raise WeightsError(Problem(name, "no released model has this name", did_you_mean(name, ENTRIES)))
    return ENTRIES[name]


def charset_of(entry: CatalogueEntry) -> Charset:
    """The dictionary that a recognition entry was trained with. WeightsError for a detection entry."""
    if entry.task != "rec":
        raise WeightsError(Problem(entry.name, "a detection model has no dictionary"))
    return entry.read_dictionary() or charset_in_onnx(entry.path(), entry.use_space_char)


@functools.lru_cache(maxsize=4)
def charset_in_onnx(path: Path, use_space_char: bool) -> Charset:
    """The dictionary in an ONNX file's metadata key ``character``. WeightsError when there is none."""
    import onnx

    model = onnx.load(str(path), load_external_data=False)
    for item in model.metadata_props:
        if item.key == ONNX_CHARACTER_KEY:
            return Charset.from_lines(item.value.split("\n"), use_space_char, str(path))
    raise WeightsError(Problem(str(path), f"has no metadata key '{ONNX_CHARACTER_KEY}', so its dictionary is unknown"))
