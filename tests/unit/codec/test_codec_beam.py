"""The search for likely texts against every alignment there is."""

import itertools
import math

import numpy as np
import pytest

from ocrtune.codec.beam import likeliest, mean_probability

STEPS, CLASSES = 5, 4


def softmax(logits: np.ndarray) -> np.ndarray:
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def text_of(path: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(number for number, _ in itertools.groupby(path) if number)


@pytest.mark.parametrize("seed", range(4))
def test_search_finds_the_sum_over_all_alignments(seed: int) -> None:
    probabilities = softmax(np.random.default_rng(seed).normal(size=(STEPS, CLASSES)))
    expected: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(CLASSES), repeat=STEPS):
        product = math.prod(probabilities[t, number] for t, number in enumerate(path))
        expected[text_of(path)] = expected.get(text_of(path), 0.0) + product
    found = likeliest(probabilities, width=10_000)
    assert {reading.ids for reading in found} == set(expected)
    for reading in found:
        assert math.exp(reading.log_probability) == pytest.approx(expected[reading.ids])
    assert found[0].ids == max(expected, key=expected.__getitem__)
    assert [r.log_probability for r in found] == sorted((r.log_probability for r in found), reverse=True)
    assert likeliest(probabilities, width=3)[0].ids == found[0].ids


@pytest.mark.parametrize("ids", [(1,), (1, 2), (2, 2), (3, 1, 3)])
def test_mean_probability_is_that_of_the_best_alignment(ids: tuple[int, ...]) -> None:
    probabilities = softmax(2 * np.random.default_rng(5).normal(size=(STEPS, CLASSES)))
    paths = [path for path in itertools.product(range(CLASSES), repeat=STEPS) if text_of(path) == ids]
    best = max(paths, key=lambda path: math.prod(probabilities[t, number] for t, number in enumerate(path)))
    begins = [t for t in range(STEPS) if best[t] and (t == 0 or best[t] != best[t - 1])]
    expected = np.mean([probabilities[t, best[t]] for t in begins])
    assert mean_probability(probabilities, ids) == pytest.approx(expected)


def test_a_text_that_the_steps_cannot_say_has_no_probability() -> None:
    probabilities = softmax(np.zeros((3, CLASSES)))
    assert mean_probability(probabilities, (1, 1, 1)) == 0.0
    assert mean_probability(probabilities, (1, 2, 3, 1)) == 0.0
    assert mean_probability(probabilities, ()) == 0.0


def test_long_lines_do_not_underflow() -> None:
    probabilities = softmax(np.random.default_rng(1).normal(size=(2000, 50)))
    found = likeliest(probabilities, width=2)
    assert len(found) == 2
    assert np.isfinite([reading.log_probability for reading in found]).all()


def test_steps_without_any_likely_class_are_read_too() -> None:
    probabilities = np.full((3, 20_000), 1 / 20_000)
    assert len(likeliest(probabilities, width=4)) == 4
