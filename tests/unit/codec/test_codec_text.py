import numpy as np
import pytest

from ocrtune.codec.ctc import CTCCodec, CTCLabelDecodeOptions
from ocrtune.codec.db import DBPostProcess
from ocrtune.codec.nrtr import END, START, NRTRCodec
from ocrtune.codec.registry import postprocessors
from ocrtune.core.charset import Charset
from ocrtune.core.errors import WeightsError
from ocrtune.core.options import Findings


@pytest.fixture
def charset():
    return Charset(list("abcé中"), use_space_char=True)


def one_hot(ids, classes):
    return np.eye(classes, dtype=np.float32)[list(ids)]


@pytest.mark.parametrize("text", ["abc", "", "a a", "é中", "   "])
def test_ctc_round_trip(charset, text):
    codec = CTCCodec(charset)
    encoded = codec.encode(text)
    steps = [step for i in encoded.ids for step in (i, 0)] or [0]  # a blank keeps repeated characters apart
    (result,) = codec.decode(one_hot(steps, charset.num_classes))
    assert encoded.missing == ()
    assert result.text == text
    assert result.score == (1.0 if text else 0.0)


def test_repeats_are_merged_and_scores_averaged(charset):
    probabilities = np.full((1, 5, charset.num_classes), 0.01, np.float32)
    for step, (i, p) in enumerate([(1, 0.9), (1, 0.2), (0, 0.8), (1, 0.5), (2, 0.7)]):
        probabilities[0, step, i] = p
    (result,) = CTCCodec(charset).decode(probabilities)
    assert result.text == "aab"
    assert result.score == pytest.approx((0.9 + 0.5 + 0.7) / 3)


def test_logits_give_the_same_as_their_softmax(charset):
    logits = np.random.default_rng(0).normal(0, 3, (4, 12, charset.num_classes)).astype(np.float32)
    powers = np.exp(logits)
    expected = CTCCodec(charset).decode(powers / powers.sum(axis=2, keepdims=True))
    found = CTCCodec(charset).decode_logits(logits)
    assert [r.text for r in found] == [r.text for r in expected]
    assert [r.score for r in found] == pytest.approx([r.score for r in expected], abs=1e-6)
    assert CTCCodec(charset).decode(np.zeros((0, 12, charset.num_classes), np.float32)) == []


def test_missing_characters_are_told(charset):
    for codec in (CTCCodec(charset), NRTRCodec(charset)):
        assert codec.encode("aXbX\t").missing == ("X", "X", "\t")
    assert CTCCodec(charset).encode("aXb").ids == (1, 2)


def test_wrong_dictionary_is_named(charset):
    with pytest.raises(WeightsError, match="the model has 9 classes, the dictionary needs 7"):
        CTCCodec(charset).decode(np.zeros((3, 9), np.float32))
    with pytest.raises(ValueError, match="expected"):
        CTCCodec(charset).decode(np.zeros(7, np.float32))


@pytest.mark.parametrize("text", ["abc", "", "a a", "aa中"])
def test_nrtr_round_trip(charset, text):
    codec = NRTRCodec(charset)
    ids = codec.encode(text).ids
    assert (ids[0], ids[-1], len(ids)) == (START, END, len(text) + 2)
    (result,) = codec.decode(one_hot([*ids[1:], 4, 0], codec.num_classes)[None])
    assert result.text == text
    assert result.score == (1.0 if text else 0.0)


def test_nrtr_special_classes_give_no_text(charset):
    codec = NRTRCodec(charset)
    ids = np.array([[START, 0, 1, 4, 99, 5]])
    (result,) = codec.decode_ids(ids, np.array([[0.1, 0.1, 0.1, 0.6, 0.1, 0.8]]))
    assert result.text == "ab"
    assert result.score == pytest.approx(0.7)
    assert codec.num_classes == charset.num_classes + 3


def test_config_names():
    assert {"DBPostProcess", "CTCLabelDecode"} <= set(postprocessors.names())
    findings = Findings()
    options = postprocessors.parse("DBPostProcess", {"thresh": 0.2, "box_thresh": 0.5}, "PostProcess", findings)
    assert postprocessors.get("DBPostProcess").factory(options) == DBPostProcess(thresh=0.2, box_thresh=0.5)
    assert postprocessors.parse("DBPostProcess", {"unclip": 1.5}, "PostProcess", findings) is None
    assert "did you mean 'unclip_ratio'" in str(findings.problems[0])


def test_ctc_from_a_config(charset):
    findings = Findings()
    options = postprocessors.parse("CTCLabelDecode", {"use_space_char": True}, "PostProcess", findings)
    assert options == CTCLabelDecodeOptions()
    assert [notice.where for notice in findings.notices] == ["PostProcess.use_space_char"]
    codec = postprocessors.get("CTCLabelDecode").factory(options, charset=charset)
    assert codec.encode("b").ids == (2,)
