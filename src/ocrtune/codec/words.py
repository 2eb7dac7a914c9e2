"""Where the words of a language model come from: a list of them, and characters that follow one another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

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

    def probability(self, word: str) -> float:
        marked = _marked(word)
        product = 1.0
        for end in range(_ORDER - 1, len(marked)):
            guess = 1 / CHARACTERS
            for start in range(end, end - _ORDER, -1):
                if (found := self._seen.get(marked[start:end])) is None:
                    break
                following, total = found
                guess = (following.get(marked[end], 0.0) + len(following) * guess) / (total + len(following))
            product *= guess
        return product


def _marked(word: str) -> str:
    return _START * (_ORDER - 1) + word + _END
