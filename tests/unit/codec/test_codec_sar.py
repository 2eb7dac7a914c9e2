"""SAR labels: PaddleOCR's class numbers."""

from __future__ import annotations

import pytest

from ocrtune.codec.sar import SARCodec
from ocrtune.core.charset import Charset

CODEC = SARCodec(Charset([*"ABC"], use_space_char=True))


def test_special_classes_follow_the_characters() -> None:
    """A, B, C, space: 0 to 3; unknown 4; start and end 5; padding 6."""
    assert (CODEC.boundary, CODEC.padding, CODEC.num_classes) == (5, 6, 7)


@pytest.mark.parametrize(
    ("text", "ids", "missing"),
    [
        ("CA", (5, 2, 0, 5), ()),
        ("A B", (5, 0, 3, 1, 5), ()),
        ("", (5, 5), ()),
        ("xAyy", (5, 0, 5), ("x", "y", "y")),
    ],
)
def test_encode(text: str, ids: tuple[int, ...], missing: tuple[str, ...]) -> None:
    assert CODEC.encode(text) == (ids, missing)


def test_every_character_comes_back() -> None:
    characters = CODEC.charset.characters
    ids = CODEC.encode("".join(characters)).ids
    assert [characters[i] for i in ids[1:-1]] == list(characters)
