"""A font that can show the recognised text, found on the machine or in an installed package."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

from ocrtune.core.errors import DataError, Problem

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_FOLDERS = (
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "~/.fonts",
    "~/.local/share/fonts",
    "/Library/Fonts",
    "/System/Library/Fonts",
    "C:/Windows/Fonts",
)
# Folders inside wheels that carry fonts; nothing is imported, the folder is only looked into.
_PACKAGES = ("noto_cjk_sans_otc", "noto_cjk_sans_jp_regular", "manimgx_fonts_cjk", "rapidocr", "matplotlib")
# Best first: fonts for all of Chinese, Japanese and Korean, then wide Latin ones.
_PREFERRED = (
    "notosanscjk", "notosanssc", "sourcehansans", "wqy", "droidsansfallback", "pingfang", "hiragino", "msyh",
    "simhei", "simsun", "arialuni", "fzytk", "dejavusans.ttf", "notosans-regular", "arial.ttf",
)  # fmt: skip
_NOTDEF = "\U0010fffe"


@lru_cache(maxsize=1)
def candidates() -> tuple[Path, ...]:
    """Font files worth trying, best first."""
    folders = [Path(folder).expanduser() for folder in _FOLDERS]
    for package in _PACKAGES:
        spec = importlib.util.find_spec(package)
        folders += [Path(p) for p in (spec.submodule_search_locations or ())] if spec else []
    found: list[tuple[int, str, Path]] = []
    for folder in folders:
        for path in folder.rglob("*") if folder.is_dir() else ():
            if path.suffix.lower() in {".ttf", ".otf", ".ttc"}:
                name = path.name.lower()
                rank = next((i for i, preferred in enumerate(_PREFERRED) if preferred in name), None)
                if rank is not None:
                    found.append((rank, name, path))
    return tuple(path for _, _, path in sorted(found))


class TextFont:
    """The first font with a glyph for every character of ``texts``, else the one with most of them.

    path: use this file only. missing: characters no glyph was found for, sorted; they are drawn as empty boxes.

    Raises DataError when ``path`` is not a font.
    """

    def __init__(self, texts: Iterable[str], path: Path | None = None):
        characters = {c for text in texts for c in text if not c.isspace()}
        best: tuple[int, Path | None] | None = None
        for candidate in (path,) if path else (*candidates(), None):
            lacking = len(characters - glyphs(candidate, frozenset(characters)))
            if best is None or lacking < best[0]:
                best = (lacking, candidate)
            if lacking == 0:
                break
        self.path = best[1] if best else None
        self.missing = "".join(sorted(characters - glyphs(self.path, frozenset(characters))))

    def at(self, size: int) -> Font:
        """The font at ``size`` pixels."""
        return _load(self.path, size)


@lru_cache(maxsize=64)
def glyphs(path: Path | None, characters: frozenset[str]) -> frozenset[str]:
    """Those of ``characters`` that the font draws as something else than its "no such glyph" mark."""
    font = _load(path, 24)
    none = bytes(font.getmask(_NOTDEF))
    return frozenset(c for c in characters if bytes(font.getmask(c)) != none)


@lru_cache(maxsize=64)
def _load(path: Path | None, size: int) -> Font:
    if path is None:
        return ImageFont.load_default(size)
    try:
        return ImageFont.truetype(str(path), size)
    except OSError as error:
        raise DataError(Problem(str(path), f"cannot be loaded as a font ({error})")) from error
