"""What a language knows, and that it decides only between texts that the network finds likely."""

import math
from pathlib import Path

import numpy as np
import pytest

from ocrtune.codec.beam import likeliest
from ocrtune.codec.ctc import CTCCodec
from ocrtune.codec.language import Language, read_language
from ocrtune.core.charset import Charset
from ocrtune.core.errors import DataError

LABELS = ["CASHIER", "SALE", "SALE!", "Cashier", "coffee", "SALE 50%", "EXIT", "EXIT", "iPhone", "iPhone"]
WORDS = {"cashier": 20.0, "coffee": 100.0, "quality": 50.0, "love": 200.0}


@pytest.fixture(scope="module")
def language() -> Language:
    return Language(LABELS, WORDS)


@pytest.mark.parametrize(
    ("likelier", "other"),
    [
        ("CASHIER", "CASNIER"),  # a word of the labels
        ("QUALITY", "OUALITY"),  # of the list, in the labels' most frequent form
        ("QUALITY", "QUAlITY"),  # a form that labels seldom have
        ("iPhone", "IPHONE"),  # unless it is how this word is written
        ("SALE!", "SALE?"),  # punctuation as in the labels
        ("EXITS", "EXITZQ"),  # letters that follow one another
        ("SALE EXIT", "SALEEXIT"),
    ],
)
def test_labels_and_list_make_a_text_likelier(language: Language, likelier: str, other: str) -> None:
    assert language.log_probability(likelier) > language.log_probability(other)


def test_every_text_has_a_probability(language: Language) -> None:
    for text in ("", " ", "!!", "7", "日本語", "ß", "a" * 500):
        assert -math.inf < language.log_probability(text) < 0
        assert -math.inf < Language([], {}).log_probability(text) < 0


@pytest.mark.parametrize(
    ("likelier", "other"),
    [
        ("CASH", "CASN"),  # a word of the labels begins so
        ("qual", "ouak"),  # one of the list
        ("Qua", "QuA"),
        ("SALE EX", "SALE EZ"),
        ("Cas", "?Ca"),
    ],
)
def test_a_start_promises_what_may_follow(language: Language, likelier: str, other: str) -> None:
    assert language.promise(likelier) > language.promise(other)


def test_every_start_can_be_followed(language: Language) -> None:
    for text in ("", " ", "A ", "!!", "." * 500, "7", "日本語", "m&m's", "a" * 500):
        assert math.isfinite(language.promise(text))
        assert math.isfinite(Language([], {}).promise(text))


def test_search_follows_the_language_to_texts_that_the_network_finds_unlikely(language: Language) -> None:
    charset = Charset([*"ACEHINRSXYZ"])
    steps = np.full((14, charset.num_classes), 1e-9)
    steps[1::2, 0] = 1
    for i, right in enumerate("CASHIER"):
        steps[2 * i, [charset.class_of(character) for character in "XYZ" + right]] = 0.3, 0.27, 0.25, 0.18
    right = tuple(map(charset.class_of, "CASHIER"))
    assert right not in [reading.ids for reading in likeliest(steps)]
    assert CTCCodec(charset, language).decode(steps)[0].text == "CASHIER"


def test_words_letter_by_letter_are_a_distribution() -> None:
    """Every word of up to three letters, and the share of the longer ones: at most 1, and most of it."""
    from ocrtune.codec.words import Words

    alphabet = "ab"
    words = [""]
    total, longest = 0.0, 6
    model = Words({"ab": 3.0, "ba": 2.0, "aab": 1.0})
    for _ in range(longest):
        total += sum(model.probabilities(word)[1] for word in words)
        words = [word + letter for word in words for letter in alphabet]
    assert 0.85 < total <= 1


def steps_of(charset: Charset, doubt: float) -> np.ndarray:
    """CASHIER, of which the network takes the H for an N with probability ``1 - doubt``."""
    steps = np.full((14, charset.num_classes), 1e-9)
    for i, character in enumerate("CASNIER"):
        steps[2 * i, charset.class_of(character)] = 1
        steps[2 * i + 1, 0] = 1
    steps[6, charset.class_of("N")], steps[6, charset.class_of("H")] = 1 - doubt, doubt
    return steps


def test_language_decides_where_the_network_doubts(language: Language) -> None:
    charset = Charset([*"ACEHINRS"])
    without, knowing = CTCCodec(charset), CTCCodec(charset, language)
    doubtful, sure = steps_of(charset, 0.3), steps_of(charset, 1e-6)
    assert [r.text for r in without.decode(np.stack([doubtful, sure]))] == ["CASNIER", "CASNIER"]
    found = knowing.decode(np.stack([doubtful, sure]))
    assert [r.text for r in found] == ["CASHIER", "CASNIER"]
    assert found[0].score == pytest.approx((6 + 0.3) / 7)  # what the network thinks of the text
    assert found[1].score == pytest.approx(without.decode(sure)[0].score)
    assert found[0].likelihood > found[1].likelihood  # CASHIER is a word, and the other one is not
    assert without.decode(sure)[0].likelihood == 0


def test_files_are_read(tmp_path: Path) -> None:
    labels, words = tmp_path / "rec.txt", tmp_path / "words.txt"
    labels.write_text("".join(f"{i}.png\t{text}\n" for i, text in enumerate(LABELS)))
    words.write_text("\ufeff" + "".join(f"{word}\t{count:g}\r\n" for word, count in WORDS.items()))
    expected = Language(LABELS, WORDS)
    found = read_language(labels, words)
    for text in ("CASHIER", "love", "Love.", "x"):
        assert found.log_probability(text) == pytest.approx(expected.log_probability(text))
    words.write_text("love\n\ncashier\n")
    assert read_language(None, words).log_probability("love") > read_language(labels, None).log_probability("love")


@pytest.mark.parametrize(
    ("labels", "words", "message"),
    [
        (None, "love\tmuch\nhate\t-1\n", r"words.txt:1: 'much' is no frequency.*\n.*words.txt:2: '-1'"),
        (None, "", r"words.txt: the file is empty"),
        ("a.png love\n", None, r"labels.txt:1: no tab between image and text: a.png love. write: path, tab, text"),
        ('a.png\t[{"transcription": "x"}]\n', None, r"labels.txt:1: is a label for detection"),
    ],
)
def test_bad_files_are_told(tmp_path: Path, labels: str | None, words: str | None, message: str) -> None:
    paths: dict[str, Path | None] = {"labels": None, "words": None}
    for name, text in (("labels", labels), ("words", words)):
        if text is not None:
            paths[name] = tmp_path / f"{name}.txt"
            paths[name].write_text(text)
    with pytest.raises(DataError, match=message):
        read_language(paths["labels"], paths["words"])


def test_a_missing_file_and_another_encoding_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.txt: cannot read the file \(No such file"):
        read_language(tmp_path / "gone.txt", None)
    (tmp_path / "latin.txt").write_bytes("caf\u00e9\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"latin\.txt: the file is not UTF-8. save it as UTF-8"):
        read_language(None, tmp_path / "latin.txt")
