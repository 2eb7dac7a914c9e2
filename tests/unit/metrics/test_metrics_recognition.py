from pathlib import Path

import pytest

from ocrtune.core.charset import Charset
from ocrtune.core.errors import DataError
from ocrtune.core.options import Findings
from ocrtune.core.records import RecognitionResult, Sample
from ocrtune.metrics.recognition import RecMetric, RecMetricOptions, spaces_in_common
from ocrtune.metrics.registry import metrics


def scored(pairs, **options):
    metric = RecMetric(RecMetricOptions(**options), Charset(list("abcd"), use_space_char=True))
    metric.update(
        [RecognitionResult(text, 1.0) for text, _ in pairs],
        [Sample(f"rec.txt:{i}", Path("x.jpg"), label) for i, (_, label) in enumerate(pairs, start=1)],
    )
    return metric.compute()


@pytest.mark.parametrize(
    ("pairs", "accuracy", "no_space", "cer", "similarity"),
    [
        ([("abc", "abc")], 1, 1, 0, 1),
        ([("", "abc")], 0, 0, 1, 0),
        ([("abd", "abc")], 0, 0, 1 / 3, 2 / 3),
        ([("ab", "a b")], 0, 1, 1 / 3, 1),  # a lost space
        ([("abcdabcd", "ab")], 0, 0, 3, 0.25),  # insertions push the error rate above 1
        ([("", "")], 1, 1, 0, 1),
        ([("a", "")], 0, 0, 1, 0),
        ([("abc", "abc"), ("a", "b")], 0.5, 0.5, 0.25, 0.5),
        ([("ab", "axb")], 0, 0, 1 / 3, 2 / 3),  # x is not in the dictionary: an error all the same
        ([], 0, 0, 0, 0),
    ],
)
def test_texts(pairs, accuracy, no_space, cer, similarity):
    values = scored(pairs)
    assert values["accuracy"] == accuracy
    assert values["accuracy_no_space"] == no_space
    assert values["cer"] == pytest.approx(cer)
    assert values["norm_edit_distance"] == pytest.approx(similarity)
    assert values["n"] == len(pairs)


def test_ignore_space_decides_similarity_and_indicator():
    assert scored([("ab", "a b")], ignore_space=False)["norm_edit_distance"] == pytest.approx(2 / 3)
    indicators = {
        ("acc", True): "accuracy_no_space",
        ("acc", False): "accuracy",
        ("norm_edit_dis", True): "norm_edit_distance",
        ("accuracy", True): "accuracy",
    }
    for (name, ignore_space), key in indicators.items():
        metric = RecMetric(RecMetricOptions(name, ignore_space))
        assert metric.main_indicator == key
        assert key in metric.compute()


@pytest.mark.parametrize(
    ("pairs", "precision", "recall"),
    [
        ([("a b c", "a b c")], 1, 1),
        ([("ab c", "a b c")], 1, 0.5),
        ([("a b c", "ab c")], 0.5, 1),
        ([(" abcd", "abc d")], 0, 0),
        ([("abc", "abc")], 1, 1),  # no spaces anywhere
        ([("a b", "ab")], 0, 0),
        ([("ab", "a b")], 0, 0),
        ([], 0, 0),
    ],
)
def test_spaces(pairs, precision, recall):
    values = scored(pairs)
    assert (values["space_precision"], values["space_recall"]) == (precision, recall)


def test_spaces_are_compared_where_they_stand():
    assert spaces_in_common("ab cd ab", "ab cdab ") == 1
    assert spaces_in_common("  ", " ") == 1


def test_characters_outside_the_dictionary_are_counted():
    assert scored([("a", "aXX"), ("b", "b\t")])["out_of_dictionary"] == 3
    assert "out_of_dictionary" not in RecMetric().compute()


def test_reset_and_batches():
    metric = RecMetric()
    for text in ("a", "b"):
        metric.update([RecognitionResult(text, 1.0)], [Sample("x:1", Path("x"), "a")])
    assert metric.compute()["accuracy"] == 0.5
    metric.reset()
    assert metric.compute()["n"] == 0


def test_nothing_is_skipped():
    with pytest.raises(ValueError, match="0 results for 1 samples"):
        RecMetric().update([], [Sample("x:1", Path("x"), "a")])
    with pytest.raises(DataError, match="x:7: has no text label"):
        RecMetric().update([RecognitionResult("a", 1.0)], [Sample("x:7", Path("x"))])


def test_config_name():
    findings = Findings()
    options = metrics.parse("RecMetric", {"main_indicator": "acc", "ignore_space": False}, "Metric", findings)
    metric = metrics.get("RecMetric").factory(options, charset=Charset(["a"]))
    assert metric.main_indicator == "accuracy"
    assert not findings.problems
