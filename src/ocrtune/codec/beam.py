"""The likeliest texts of CTC outputs, and how sure the network is of one."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_BLANK = 0
_LEAST = 1e-4  # classes less likely at a step are not followed there, unless none is likelier
_MOST = 16  # classes followed at a step


class Reading(NamedTuple):
    """Class numbers of a text, and the logarithm of its probability, summed over its alignments."""

    ids: tuple[int, ...]
    log_probability: float


def likeliest(
    probabilities: NDArray[np.floating[Any]],
    width: int = 16,
    promise: Callable[[tuple[int, ...]], float] | None = None,
) -> list[Reading]:
    """At most ``width`` texts of (T, C) class probabilities, the likeliest first.

    promise: the logarithm of what is known of texts that begin so; decides together with the image which beginnings
        are followed. It is no part of the probabilities, which are the image's.

    Prefix beam search, pruned, so the probabilities are lower bounds. Source: Hannun et al. 2014, arXiv:1408.2873.
    """
    beam: dict[tuple[int, ...], tuple[float, float]] = {(): (1.0, 0.0)}  # ending in blank, ending in its last class
    log_scale = 0.0
    for blank, classes in _steps(probabilities):
        grown: defaultdict[tuple[int, ...], list[float]] = defaultdict(lambda: [0.0, 0.0])
        for prefix, (ending_blank, ending_class) in beam.items():
            total = ending_blank + ending_class
            if blank:
                grown[prefix][0] += total * blank
            last = prefix[-1] if prefix else _BLANK
            for number, probability in classes:
                if number == last:
                    grown[prefix][1] += ending_class * probability
                    grown[(*prefix, number)][1] += ending_blank * probability
                else:
                    grown[(*prefix, number)][1] += total * probability
        best = {prefix: ending for prefix, ending in grown.items() if sum(ending) > 0}
        if len(best) > width:
            best = dict(sorted(best.items(), key=lambda item: -_worth(item[0], item[1], promise))[:width])
        scale = max(map(sum, best.values()))
        log_scale += math.log(scale)
        beam = {prefix: (a / scale, b / scale) for prefix, (a, b) in best.items()}
    readings = [Reading(prefix, math.log(a + b) + log_scale) for prefix, (a, b) in beam.items()]
    return sorted(readings, key=lambda reading: -reading.log_probability)


def mean_probability(probabilities: NDArray[np.floating[Any]], ids: tuple[int, ...]) -> float:
    """The mean, over the characters of a text, of the probability at the step where the best alignment begins each.

    probabilities: (T, C). 0 for an empty text, and for one that T steps cannot say.
    """
    states = [_BLANK] * (2 * len(ids) + 1)  # blanks between, before and after the characters
    states[1::2] = ids
    with np.errstate(divide="ignore"):
        log = np.log(probabilities[:, states])
    skips = np.array([i % 2 == 1 and i > 1 and states[i] != states[i - 2] for i in range(len(states))])
    score = np.full(len(states), -np.inf)
    score[:2] = log[0, :2]
    came_from = np.zeros((len(log), len(states)), np.int64)
    for t in range(1, len(log)):
        one, two = np.roll(score, 1), np.where(skips, np.roll(score, 2), -np.inf)
        one[0] = -np.inf
        choices = np.stack([score, one, two])
        came_from[t] = choices.argmax(axis=0)
        score = choices.max(axis=0) + log[t]
    state = len(states) - 1 if len(states) == 1 or score[-1] >= score[-2] else len(states) - 2
    if not ids or score[state] == -np.inf:
        return 0.0
    starts = {}
    for t in range(len(log) - 1, -1, -1):
        if state % 2:
            starts[state] = float(probabilities[t, states[state]])
        state -= int(came_from[t, state])
    return sum(starts.values()) / len(ids)


def _worth(prefix: tuple[int, ...], ending: list[float], promise: Callable[[tuple[int, ...]], float] | None) -> float:
    return math.log(sum(ending)) + (promise(prefix) if promise is not None else 0.0)


def _steps(probabilities: NDArray[np.floating[Any]]) -> Iterator[tuple[float, list[tuple[int, float]]]]:
    """The probability of the blank at each step, and the other classes to follow with theirs."""
    for row in probabilities:
        followed = (row >= min(_LEAST, row.max())).nonzero()[0]
        if len(followed) > _MOST:
            followed = followed[np.argsort(row[followed])[-_MOST:]]
        blank = float(row[_BLANK]) if _BLANK in followed else 0.0
        yield blank, [(int(number), float(row[number])) for number in followed if number != _BLANK]
