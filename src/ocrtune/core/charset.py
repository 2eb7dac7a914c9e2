"""The one owner of dictionary order, class numbers and the space class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from ocrtune.core.errors import DataError, Problem


class Charset:
    """An ordered set of characters; class numbers follow PaddleOCR's CTC head: 0 is blank, then the characters.

    characters: the dictionary's lines in file order, without blank; when ``use_space_char`` the space is
        appended last, even if a line holds one already (the released weights were trained that way).
    """

    def __init__(self, characters: Sequence[str], use_space_char: bool = False):
        self.characters: tuple[str, ...] = (*characters, *((" ",) if use_space_char else ()))
        self.use_space_char = use_space_char
        self._index = {character: i + 1 for i, character in enumerate(self.characters)}

    @classmethod
    def from_file(cls, path: Path | str, use_space_char: bool = False) -> Charset:
        """Read one character per line, UTF-8; a byte-order mark and CRLF line ends are removed.

        Raises DataError when the file is missing, not UTF-8, empty, or repeats a character.
        """
        try:
            text = Path(path).read_text(encoding="utf-8-sig")
        except OSError as error:
            raise DataError(Problem(str(path), f"cannot read the dictionary ({error.strerror})")) from error
        except UnicodeDecodeError as error:
            raise DataError(Problem(str(path), "the dictionary is not UTF-8", "save it as UTF-8")) from error
        lines = text.split("\n")
        if lines and lines[-1] == "":
            lines.pop()
        characters = [line.removesuffix("\r") for line in lines]
        return cls.from_lines(characters, use_space_char, str(path))

    @classmethod
    def from_lines(cls, characters: Sequence[str], use_space_char: bool, where: str) -> Charset:
        """Check the lines of a dictionary and build the set; DataError names every bad line."""
        problems: list[Problem | str] = []
        seen: dict[str, int] = {}
        for number, character in enumerate(characters, start=1):
            if character == "":
                problems.append(Problem(f"{where}:{number}", "empty line", "one character per line"))
            elif character in seen:
                what = f"{character!r} is already on line {seen[character]}"
                problems.append(Problem(f"{where}:{number}", what, "remove one of the two lines"))
            seen.setdefault(character, number)
        if not characters:
            problems.append(Problem(where, "the dictionary is empty"))
        if problems:
            raise DataError(problems)
        return cls(characters, use_space_char)

    def __len__(self) -> int:
        return len(self.characters)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Charset) and self.characters == other.characters

    def __hash__(self) -> int:
        return hash(self.characters)

    def __contains__(self, character: str) -> bool:
        return character in self._index

    @property
    def num_classes(self) -> int:
        """Classes of a CTC head: blank and every character."""
        return len(self.characters) + 1

    def class_of(self, character: str) -> int:
        """CTC class number (1-based; 0 is blank). KeyError when the character is not in the set."""
        return self._index[character]

    def character_of(self, class_number: int) -> str:
        """The character of a CTC class number >= 1."""
        return self.characters[class_number - 1]

    def missing(self, texts: Iterable[str]) -> Counter[str]:
        """Characters of ``texts`` that the set lacks, with how often they occur."""
        return Counter(c for text in texts for c in text if c not in self._index)
