"""Where the words of a language model come from: a list of them, and characters that follow one another."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from functools import cached_property, lru_cache

CHARACTERS = 100.0
"""How many different characters a text may have, roughly: one that was never seen is one of these."""

_ORDER = 5  # characters that a character is guessed from and with, itself included
_START, _END = "\x02", "\x03"


class Words:
    """Words as wholes and letter by letter, from how often each was seen.

    n_spelled: only so many of the most frequent words, each counted once, teach the letters; None: all, as often as
    they were seen.
    """

    def __init__(self, counts: Mapping[str, float], n_spelled: int | None = None):
        self._counts, self._total = counts, sum(counts.values())
        if n_spelled is None:
            self._letters = _Letters(counts)
        else:
            most_frequent = sorted(counts, key=lambda word: -counts[word])[:n_spelled]
            self._letters = _Letters(dict.fromkeys(most_frequent, 1.0))

    def probabilities(self, word: str) -> tuple[float, float]:
        """Of ``word`` as one of these words, and letter by letter as one like these."""
        as_whole = self._counts.get(word, 0.0) / self._total if self._total else 0.0
        return as_whole, self._letters.probability(word)

    def beginnings(self, start: str) -> tuple[float, float]:
        """Of a word that begins with ``start`` or is it, as one of these words, and letter by letter."""
        as_whole = self._starts.get(start, 0.0) / self._total if self._total else 0.0
        return as_whole, self._letters.probability(start, whole=False)

    @cached_property
    def _starts(self) -> Mapping[str, float]:
        """How often words were seen that begin so."""
        starts: defaultdict[str, float] = defaultdict(float)
        for word, count in self._counts.items():
            for end in range(1, len(word) + 1):
                starts[word[:end]] += count
        return dict(starts)


class _Letters:
    """Each character after the four before it. Smoothing: Witten and Bell 1991, "The zero-frequency problem"."""

    def __init__(self, counts: Mapping[str, float]):
        seen: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
        for word, count in counts.items():
            marked = _marked(word)
            for end in range(_ORDER - 1, len(marked)):
                for start in range(end - _ORDER + 1, end + 1):
                    seen[marked[start:end]][marked[end]] += count
        self._seen = {context: (dict(following), sum(following.values())) for context, following in seen.items()}
        self._of_last = lru_cache(maxsize=1 << 18)(self._probability_of_last)

    def probability(self, word: str, whole: bool = True) -> float:
        """whole: the word ends there."""
        marked = _marked(word) if whole else _marked(word).removesuffix(_END)
        return math.prod(self._of_last(marked[end - _ORDER : end]) for end in range(_ORDER, len(marked) + 1))

    def _probability_of_last(self, characters: str) -> float:
        """Of the last one after the others."""
        context, last = characters[:-1], characters[-1]
        guess = 1 / CHARACTERS
        for start in range(len(context), -1, -1):
            if (found := self._seen.get(context[start:])) is None:
                break
            following, total = found
            guess = (following.get(last, 0.0) + len(following) * guess) / (total + len(following))
        return guess


def _marked(word: str) -> str:
    return _START * (_ORDER - 1) + word + _END
