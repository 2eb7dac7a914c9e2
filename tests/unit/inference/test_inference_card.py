"""The model card and the dictionary survive the trip through ONNX metadata, or are refused."""

import dataclasses

import pytest

from ocrtune.core.errors import DataError, WeightsError
from ocrtune.core.records import ModelCard
from ocrtune.inference.card import card_from_metadata, card_to_metadata, characters_from_metadata, join_characters

CARD = ModelCard(
    task="rec",
    model_name="PP-OCRv6_small_rec",
    preprocess={"image_shape": [3, 48, 320]},
    postprocess={"name": "CTCLabelDecode"},
    metrics={"accuracy": 0.875},
    ocrtune_version="0.1.0",
    created="2026-01-02T03:04:05Z",
    notes=("字典",),
)


def test_card_and_dictionary_round_trip():
    metadata = card_to_metadata(CARD, ["a", "度", " ", " "])
    assert metadata["character"] == "a\n度\n "
    assert card_from_metadata(metadata, "model.onnx") == CARD
    assert characters_from_metadata(metadata) == ("a", "度", " ")


def test_detection_card_has_no_dictionary():
    metadata = card_to_metadata(dataclasses.replace(CARD, task="det"))
    assert set(metadata) == {"ocrtune"}
    assert characters_from_metadata(metadata) is None


def test_a_file_of_someone_else_has_no_card():
    assert card_from_metadata({"character": "a\nb"}, "model.onnx") is None


@pytest.mark.parametrize("text", ["{", '{"task": "rec"}', '{"task": 3, "model_name": "x"}', "[]"])
def test_a_damaged_card_is_an_error_with_the_file(text):
    with pytest.raises(WeightsError, match=r"model\.onnx.*export it again"):
        card_from_metadata({"ocrtune": text}, "model.onnx")


@pytest.mark.parametrize("bad", ["\u2028", "\x85", "\x1c", "\x0b", "\n"])
def test_line_breaks_of_rapidocr_are_refused(bad):
    with pytest.raises(DataError, match="dictionary:2"):
        join_characters(["a", bad, "b", " "])


def test_the_last_class_must_be_the_space():
    with pytest.raises(DataError, match="space"):
        join_characters(["a", "b"])
