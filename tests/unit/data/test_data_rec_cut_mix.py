"""New lines from the beginning of one and the end of another."""

from __future__ import annotations

import numpy as np
import pytest

from ocrtune.codec.crop import rotate180
from ocrtune.core.records import Image, Sample
from ocrtune.data.item import Context, Item, Spelled
from ocrtune.data.transforms.rec_cut_mix import RecCutMix, RecCutMixOptions, emptiest_column

GLYPH, GAP, HEIGHT = 12, 4, 32


def line(text: str) -> Image:
    """Each letter as a block of horizontal stripes as bright as its number: the columns between are plain."""
    image = np.full((HEIGHT, len(text) * (GLYPH + GAP) + GAP, 3), 200, np.uint8)
    for i, letter in enumerate(text):
        left = GAP + i * (GLYPH + GAP)
        image[4:-4:2, left : left + GLYPH] = ord(letter)
    return image


def places(text: str, where: float) -> tuple[float, ...]:
    """where: in each letter, 0 at its left edge, 1 at its right."""
    starts = GAP + np.arange(len(text)) * (GLYPH + GAP) + where * GLYPH
    return tuple((starts / line(text).shape[1]).tolist())


def item_of(text: str, turned: bool = False) -> Item:
    item = Item(Sample(text, None, text), text=text)  # the text is its own source
    item.image = rotate180(line(text)) if turned else line(text)
    return item


def mixed(one: Item, other: Item, spelled: dict[str, Spelled], seed: int, longest: int = 25) -> Item:
    one.draw = lambda rng: other
    RecCutMix(RecCutMixOptions(1.0), Context(None, longest, spelled))(one, np.random.default_rng(seed))
    return one


@pytest.mark.parametrize("where", [-0.1, 0.1, 0.5, 0.7])
@pytest.mark.parametrize("turned", [False, True])
def test_text_and_image_are_cut_between_the_same_letters(where: float, turned: bool) -> None:
    spelled = {"ABCD": Spelled(turned, places("ABCD", where)), "PQRST": Spelled(False, places("PQRST", where))}
    seen = set()
    for seed in range(40):
        item = mixed(item_of("ABCD", turned), item_of("PQRST"), spelled, seed)
        seen.add(item.text)
        kept = next(i for i in range(1, 4) if item.text.startswith("ABCD"[:i]) and item.text[i] in "QRST")
        assert item.text[kept:] == "PQRST"[5 - len(item.text) + kept :]
        cut = kept * (GLYPH + GAP) + GAP
        np.testing.assert_array_equal(item.image[:, : cut - GAP], line("ABCD")[:, : cut - GAP])
        letters = len(item.text)
        assert abs(item.image.shape[1] - (letters * (GLYPH + GAP) + GAP)) <= GAP
        assert item.image.dtype == np.uint8
    assert seen == {"ABCD"[:i] + "PQRST"[j:] for i in range(1, 4) for j in range(1, 5)}


def test_the_second_part_takes_on_height_and_brightness() -> None:
    spelled = {"AB": Spelled(False, places("AB", 0.2)), "PQ": Spelled(False, places("PQ", 0.2))}
    other = item_of("PQ")
    other.image = np.repeat(np.repeat(line("PQ") // 2, 2, axis=0), 2, axis=1)
    item = mixed(item_of("AB"), other, spelled, 0)
    assert item.text == "AQ"
    assert abs(item.image.shape[1] - line("AB").shape[1]) <= GAP
    assert abs(int(item.image[0, -1, 0]) - 200) <= 8  # it was 100


@pytest.mark.parametrize("unread", ["ABCD", "PQRST"])
def test_lines_that_were_not_read_stay_whole(unread: str) -> None:
    spelled = {text: Spelled(False, places(text, 0.2)) for text in ("ABCD", "PQRST") if text != unread}
    item = mixed(item_of("ABCD"), item_of("PQRST"), spelled, 0)
    assert item.text == "ABCD"
    np.testing.assert_array_equal(item.image, line("ABCD"))


def test_limits() -> None:
    spelled = {text: Spelled(False, places(text, 0.2)) for text in ("ABCD", "PQRST", "Z")}
    texts = {mixed(item_of("ABCD"), item_of("PQRST"), spelled, seed, longest=3).text for seed in range(40)}
    assert "ABCD" in texts
    assert max(map(len, texts - {"ABCD"})) == 3
    assert mixed(item_of("ABCD"), item_of("Z"), spelled, 0).text == "ABCD"
    never = RecCutMix(RecCutMixOptions(0.0), Context(None, 25, spelled))
    item = item_of("ABCD")
    never(item, np.random.default_rng(0))
    assert item.text == "ABCD"
    with pytest.raises(ValueError, match="0 <= prob <= 1"):
        RecCutMixOptions(1.5)


def test_the_emptiest_column() -> None:
    assert emptiest_column(line("AB")[:, GAP + 2 : GAP + GLYPH + GAP + 2]) in range(GLYPH - 2, GLYPH + GAP - 2)
    assert emptiest_column(np.full((8, 5, 3), 7, np.uint8)) == 2
