"""What a dictionary file may look like, and what is said about it."""

import pytest

from ocrtune.core.charset import Charset
from ocrtune.core.errors import DataError


def read(tmp_path, content, use_space_char=False):
    (tmp_path / "dict.txt").write_bytes(content)
    return Charset.from_file(tmp_path / "dict.txt", use_space_char)


def test_plain_file_has_nothing_to_notice(tmp_path):
    found = read(tmp_path, "a\nß\n".encode(), use_space_char=True)
    assert found.characters == ("a", "ß", " ")
    assert found.lines == ("a", "ß")
    assert found.notices == ()


def test_byte_order_mark_and_windows_line_ends_are_removed_and_noticed(tmp_path):
    found = read(tmp_path, b"\xef\xbb\xbfa\r\nb\r\n")
    assert found.characters == ("a", "b")
    assert "byte-order mark" in found.notices[0]
    assert "dict.txt:1" in found.notices[0]
    assert "CRLF" in found.notices[1]


def test_space_line_beside_use_space_char_is_explained(tmp_path):
    found = read(tmp_path, b"a\n \nb\n", use_space_char=True)
    assert found.num_classes == 5  # as PaddleOCR counts
    assert found.class_of(" ") == 4  # the last one is used
    assert "dict.txt:2" in found.notices[0]
    assert "use_space_char: false" in found.notices[0]
    assert read(tmp_path, b"a\n \nb\n").notices == ()


def test_duplicate_and_empty_lines_are_all_named(tmp_path):
    with pytest.raises(DataError) as caught:
        read(tmp_path, b"a\nb\na\n\nb\n")
    text = str(caught.value)
    assert "dict.txt:3: 'a' is already on line 1" in text
    assert "dict.txt:4: empty line" in text
    assert "dict.txt:5: 'b' is already on line 2" in text


def test_union_keeps_the_first_order_and_puts_the_space_last():
    old, new = Charset("abc", use_space_char=True), Charset(" xcay")
    assert old.union(new).characters == ("a", "b", "c", "x", "y", " ")
    assert Charset("ab").union(Charset("b", use_space_char=True)).characters == ("a", "b", " ")
