"""The one owner of dictionary order, class numbers and the space class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from ocrtune.core.errors import DataError, Problem

_MARK = "\ufeff"


class Charset:
    """An ordered set of characters; class numbers follow PaddleOCR's CTC head: 0 is blank, then the characters.

    characters: the dictionary's lines in file order, without blank; when ``use_space_char`` the space is
        appended last, even if a line holds one already (the released weights were trained that way).
    notices: what is odd about the file that the set was read from, and what was made of it.
    """

    def __init__(self, characters: Sequence[str], use_space_char: bool = False, notices: Sequence[str] = ()):
        self.characters: tuple[str, ...] = (*characters, *((" ",) if use_space_char else ()))
        self.use_space_char = use_space_char
        self.notices = tuple(notices)
        self._index = {character: i + 1 for i, character in enumerate(self.characters)}

    @classmethod
    def from_file(cls, path: Path | str, use_space_char: bool = False) -> Charset:
        """Read one character per line, UTF-8; a byte-order mark and CRLF line ends are removed, and noticed.

        Raises DataError when the file is missing, not UTF-8, empty, or repeats a character.
        """
        try:
            text = Path(path).read_bytes().decode()
        except OSError as error:
            raise DataError(Problem(str(path), f"cannot read the dictionary ({error.strerror})")) from error
        except UnicodeDecodeError as error:
            raise DataError(Problem(str(path), "the dictionary is not UTF-8", "save it as UTF-8")) from error
        notices = []
        if text.startswith(_MARK):
            notices.append(f"{path}:1: begins with a byte-order mark, which is no part of the first character: removed")
        if "\r\n" in text:
            notices.append(f"{path}: has Windows line ends (CRLF): removed")
        lines = text.removeprefix(_MARK).split("\n")
        if lines and lines[-1] == "":
            lines.pop()
        characters = [line.removesuffix("\r") for line in lines]
        if use_space_char and " " in characters:
            number = characters.index(" ") + 1
            notices.append(
                f"{path}:{number}: a line holds the space and use_space_char adds another class for it; as in "
                "PaddleOCR the last one is used and the line's never. Keep both for weights trained so; for your own "
                "dictionary set use_space_char: false"
            )
        found = cls.from_lines(characters, use_space_char, str(path))
        found.notices = tuple(notices)
        return found

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

    def with_space(self, use_space_char: bool) -> Charset:
        """The same lines with or without the space that ``use_space_char`` appends."""
        return Charset(self.lines, use_space_char, self.notices)

    @property
    def lines(self) -> tuple[str, ...]:
        """The dictionary's lines, without the space that ``use_space_char`` appended."""
        return self.characters[:-1] if self.use_space_char else self.characters

    def union(self, other: Charset) -> Charset:
        """These lines in their order, then what ``other`` adds; the space is appended last if either appends it."""
        own = set(self.characters)
        added = [line for line in other.lines if line not in own]
        notices = (*self.notices, *(notice for notice in other.notices if notice not in self.notices))
        return Charset((*self.lines, *added), self.use_space_char or other.use_space_char, notices)

    def missing(self, texts: Iterable[str]) -> Counter[str]:
        """Characters of ``texts`` that the set lacks, with how often they occur."""
        return Counter(c for text in texts for c in text if c not in self._index)
