"""How likely a text is before its image has been seen: a language model of words, their case and their punctuation."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from ocrtune.codec.words import CHARACTERS, Words
from ocrtune.core.errors import DataError, Problem

WEIGHT = 0.45
"""How much the language counts beside the image (docs/results.md says how this was found)."""
BONUS = 1.5
"""What each character of a text gets, because the language likes short texts."""

_LISTED_SPELLED = 20_000  # words of the list, the most frequent ones, that teach letters
_CORE = re.compile(r"[^\W_](?:.*[^\W_])?", re.DOTALL)
_N_FORMS = 4  # lower, UPPER, Capitalised, anyHow
_ROUNDS = 20  # of expectation maximisation
_LEAST = 1e-300  # what has a logarithm
_UNSEEN = 0.5  # how often an edge or a spelling that was never seen was seen, so to speak


class Language:
    """The probability of texts, learned from a set's own labels and a list of words.

    labels: texts of images, each as often as it occurs. words: words and how frequent they are, in any unit; their
    case is ignored.

    A word comes from the labels or from the list, as one of their words or as a new one whose letters follow each
    other as theirs do. How often which happens is what makes each half of the labels most likely when the other half
    is known (expectation maximisation: Jelinek and Mercer 1980, "Interpolated estimation of Markov source parameters
    from sparse data"). The word's case and the punctuation around it are those of the labels.
    """

    def __init__(self, labels: Sequence[str], words: Mapping[str, float] | None = None):
        texts = [text.split(" ") for text in labels]
        tokens = [_split(token) for text in texts for token in text]
        lower = [token.core.lower() for token in tokens]
        listed = Words(_lower_case(words or {}), _LISTED_SPELLED)
        halves = [Words(Counter(lower[i::2])) for i in range(2)]
        self._shares = _estimate(
            [halves[1 - i % 2].probabilities(word) + listed.probabilities(word) for i, word in enumerate(lower)]
        )
        self._sources = (Words(Counter(lower)), listed)
        self._n_tokens = len(tokens)
        self._before, self._after = Counter(token.before for token in tokens), Counter(token.after for token in tokens)
        self._spellings, self._words = Counter(token.core for token in tokens), Counter(lower)
        forms = Counter(_form(token.core) for token in tokens if _n_letters(token.core) > 1)
        self._forms = [(forms[form] + 1) / (sum(forms.values()) + _N_FORMS) for form in range(_N_FORMS)]
        self._ends = (len(texts) + 1) / (len(tokens) + 2)
        self._of_token = lru_cache(maxsize=1 << 16)(self._log_probability_of_token)
        self._of_start = lru_cache(maxsize=1 << 18)(self._log_probability_of_start)

    def log_probability(self, text: str) -> float:
        """The natural logarithm of the probability of ``text``."""
        tokens = text.split(" ")
        length = (len(tokens) - 1) * math.log(1 - self._ends) + math.log(self._ends)
        return length + sum(map(self._of_token, tokens))

    def promise(self, start: str) -> float:
        """How likely a text begins with ``start``, weighted as :meth:`best` weights it: what a search follows."""
        *whole, last = start.split(" ")
        length = len(whole) * math.log(1 - self._ends)
        return WEIGHT * (length + sum(map(self._of_token, whole)) + self._of_start(last)) + BONUS * len(start)

    def best(self, texts: Sequence[tuple[str, float]]) -> tuple[int, float]:
        """Which of the (text, natural logarithm of its probability by the image) is the likeliest by both, and how
        likely: a logarithm, not normalised, that can be compared between readings of one image."""
        scores = [seen + WEIGHT * self.log_probability(text) + BONUS * len(text) for text, seen in texts]
        return scores.index(max(scores)), max(scores)

    def _log_probability_of_token(self, text: str) -> float:
        before, core, after = _split(text)
        given = [probability for source in self._sources for probability in source.probabilities(core.lower())]
        word = sum(share * probability for share, probability in zip(self._shares, given))
        parts = (word, self._spelling(core), self._edge(self._before, before), self._edge(self._after, after))
        return sum(math.log(max(part, _LEAST)) for part in parts)

    def _log_probability_of_start(self, text: str) -> float:
        """Of a token that begins with ``text`` or is it, its punctuation at the end counted or taken for a middle."""
        before, core, after = _split(text)
        edge = math.log(max(self._edge(self._before, before), _LEAST))
        if not core:
            return edge
        start = text.removeprefix(before)
        given = [probability for source in self._sources for probability in source.beginnings(start.lower())]
        word = sum(share * probability for share, probability in zip(self._shares, given))
        unfinished = edge + math.log(max(word * self._spelling_of_start(start), _LEAST))
        return max(unfinished, self._of_token(text)) if after else unfinished

    def _edge(self, seen: Counter[str], edge: str) -> float:
        return (seen[edge] + _UNSEEN * CHARACTERS ** -len(edge)) / (self._n_tokens + _UNSEEN)

    def _spelling(self, core: str) -> float:
        """The probability of the case of a word: as often as it had this one, else as often as words have its form."""
        n_letters = _n_letters(core)
        if n_letters == 0:
            return 1.0
        if n_letters == 1:
            usual = self._forms[0] if core == core.lower() else 1 - self._forms[0]
        else:
            form = _form(core)
            usual = self._forms[form] * (0.5**n_letters if form == _N_FORMS - 1 else 1.0)
        return (self._spellings[core] + usual) / (self._words[core.lower()] + 1)

    def _spelling_of_start(self, start: str) -> float:
        """How often words have one of the forms that a word of this beginning may have."""
        if (n_letters := _n_letters(start)) == 0:
            return 1.0
        lower, upper, capitalised, mixed = self._forms
        possible = mixed * 0.5**n_letters
        possible += lower * (start == start.lower()) + upper * (start == start.upper())
        return min(1.0, possible + capitalised * (start == start.capitalize()))


def read_language(labels: Path | None, words: Path | None) -> Language:
    """The language of a recognition label file (``image<TAB>text``; no image is opened) and of a list of words.

    words: a line is a word, or a word, a tab and how frequent it is, in any unit. Raises one DataError with every bad
    line.
    """
    problems: list[Problem | str] = []
    texts = [_label(*line, problems) for line in _lines(labels)] if labels is not None else []
    listed = dict(_word(*line, problems) for line in _lines(words)) if words is not None else {}
    if problems:
        raise DataError(problems)
    return Language(texts, listed)


def _lines(path: Path) -> list[tuple[str, str]]:
    """(``file:line``, line) of the lines that are not blank."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise DataError(Problem(str(path), f"cannot read the file ({error.strerror})")) from error
    except UnicodeDecodeError as error:
        raise DataError(Problem(str(path), "the file is not UTF-8", "save it as UTF-8")) from error
    found = [(f"{path}:{number}", line.removesuffix("\r")) for number, line in enumerate(lines, 1) if line.strip()]
    if not found:
        raise DataError(Problem(str(path), "the file is empty", "one text per line"))
    return found


def _label(source: str, line: str, problems: list[Problem | str]) -> str:
    _, tab, text = line.partition("\t")
    if not tab:
        problems.append(Problem(source, f"no tab between image and text: {line[:60]}", "write: path, tab, text"))
    elif text.startswith('[{"'):
        problems.append(Problem(source, "is a label for detection", "give the label file of the recognition crops"))
    return text


def _word(source: str, line: str, problems: list[Problem | str]) -> tuple[str, float]:
    word, tab, count = line.partition("\t")
    try:
        frequency = float(count) if tab else 1.0
    except ValueError:
        frequency = math.nan
    if not 0 <= frequency < math.inf:
        problems.append(Problem(source, f"'{count}' is no frequency", "write: word, or word, tab, number"))
    return word, frequency


class _Token(NamedTuple):
    """What stands between two spaces: punctuation, from the first to the last letter or digit, punctuation."""

    before: str
    core: str
    after: str


def _split(token: str) -> _Token:
    found = _CORE.search(token)
    return _Token(token[: found.start()], found.group(), token[found.end() :]) if found else _Token(token, "", "")


def _n_letters(core: str) -> int:
    """Letters that have a case."""
    return sum(character.lower() != character.upper() for character in core)


def _form(core: str) -> int:
    if core in (core.lower(), core.upper()):
        return 0 if core == core.lower() else 1
    return 2 if core in (core.capitalize(), core.title()) else 3


def _lower_case(words: Mapping[str, float]) -> dict[str, float]:
    counts: defaultdict[str, float] = defaultdict(float)
    for word, count in words.items():
        counts[word.lower()] += count
    return counts


def _estimate(given: Sequence[tuple[float, ...]]) -> list[float]:
    """The shares of the sources under which words are likeliest, from the probability that each gives to each word."""
    shares = [0.25] * 4
    for _ in range(_ROUNDS):
        sums = [1.0] * len(shares)
        for probabilities in given:
            parts = [share * probability for share, probability in zip(shares, probabilities)]
            total = sum(parts)
            sums = [known + part / total for known, part in zip(sums, parts)] if total else sums
        shares = [known / sum(sums) for known in sums]
    return shares
