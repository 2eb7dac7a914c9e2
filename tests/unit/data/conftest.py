"""A small labelled set, drawn here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest
from conftest_data import WORDS, page

from ocrtune.core.charset import Charset


@pytest.fixture
def det_set(tmp_path: Path) -> Path:
    """Label file of five pages with two texts each, the second one ignored on odd pages, and one blank page."""
    lines = []
    for i in range(6):
        cv2.imwrite(str(tmp_path / f"page{i}.png"), page(i))
        boxes = [[[20, 20], [90, 22], [90, 44], [20, 42]], [[120, 70], [180, 70], [180, 95], [120, 95]]]
        texts = ["first", "###" if i % 2 else "second"]
        label = [] if i == 5 else [{"transcription": t, "points": b} for t, b in zip(texts, boxes)]
        lines.append(f"page{i}.png\t{json.dumps(label)}")
    path = tmp_path / "det.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def rec_set(tmp_path: Path) -> Path:
    """Label file of 24 crops 32 pixels high and 40 to 224 wide."""
    lines = []
    for i in range(24):
        cv2.imwrite(str(tmp_path / f"crop{i}.png"), page(i, 40 + 8 * i, 32))
        lines.append(f"crop{i}.png\t{WORDS[i % len(WORDS)]}")
    path = tmp_path / "rec.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def charset() -> Charset:
    return Charset([*"0123456789ABCDEF"])


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, bytes], Path]:
    """Write a file into the set's folder."""

    def write_file(name: str, content: bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write_file
