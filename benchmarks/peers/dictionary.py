"""Dictionaries that are not among PaddleOCR's files at 79f652f5."""

from __future__ import annotations

from pathlib import Path

from peers.cases import V6_WEIGHTS


def released_dictionary(folder: Path) -> Path:
    """The dictionary inside the released weights of PP-OCRv6, written to ``folder``."""
    from ocrtune.training.run_folder import dictionary_text
    from ocrtune.weights.source import open_source

    charset = open_source(V6_WEIGHTS).charset
    assert charset is not None
    path = folder / "dictionary.txt"
    path.write_text(dictionary_text(charset), encoding="utf-8")
    return path


def digits(folder: Path) -> Path:
    """The ten digits, written to ``folder``."""
    path = folder / "digits.txt"
    path.write_text("\n".join("0123456789") + "\n")
    return path
