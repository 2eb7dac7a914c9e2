"""Evaluation that reads lines both ways finds the words that stand on their head, and no others."""

from dataclasses import replace
from pathlib import Path

import cv2
import pytest
from drawn_lines import draw_lines
from tiny_runs import det_config

from ocrtune.codec.both_ways import MARGIN, surer
from ocrtune.codec.crop import rotate180
from ocrtune.config import load_config
from ocrtune.config.recipes import find_config
from ocrtune.core.errors import ConfigError
from ocrtune.core.records import RecognitionResult
from ocrtune.training.both_ways import evaluate_both_ways
from ocrtune.training.registries import all_registries
from ocrtune.training.run import evaluate_config
from ocrtune.training.tasks.distillation import DistillationTask

WORDS = ["river", "stone", "garden", "window", "bridge", "candle", "market", "silver", "orange", "forest"]


def silent(line: str) -> None:
    pass


def test_turned_must_be_surer_by_a_margin() -> None:
    upright = RecognitionResult("606", 0.9)
    for score, expected in ((0.9, "606"), (0.9 + 0.9 * MARGIN, "606"), (0.9 + 1.1 * MARGIN, "909")):
        assert surer(upright, RecognitionResult("909", score)).text == expected


def test_turned_must_not_be_the_less_likely_text() -> None:
    upright, turned = RecognitionResult("SWIM", 0.7, -9.0), RecognitionResult("WIMS", 0.9, -9.5)
    assert surer(upright, turned) is upright
    assert surer(upright, replace(turned, likelihood=-9.0)).text == "WIMS"


def test_words_upside_down_are_read_and_the_others_stay(tmp_path: Path) -> None:
    labels = draw_lines(tmp_path, {word: word for word in WORDS})
    for i in range(3):
        path = str(tmp_path / f"{i}.png")
        cv2.imwrite(path, rotate180(cv2.imread(path)))
    overrides = [
        f"Eval.dataset.data_dir={tmp_path}",
        f"Eval.dataset.label_file_list={labels}",
        "Eval.loader.num_workers=0",
    ]
    recipe = find_config("rec/PP-OCRv6_small")
    config = load_config(recipe, overrides, all_registries(), ("Global", "Eval")).config
    one_way = evaluate_config(config, say=silent)
    both_ways = evaluate_config(config, both_ways=True, say=silent)
    assert one_way["accuracy"] == pytest.approx(0.7)
    assert both_ways["accuracy"] == 1.0
    assert both_ways["n"] == one_way["n"] == 10


def test_a_detector_and_several_networks_are_refused(tmp_path: Path) -> None:
    config = det_config(tmp_path, 1)
    config = replace(config, global_options=replace(config.global_options, pretrained_model=None))
    with pytest.raises(ConfigError, match=r"--both-ways.*this is detection"):
        evaluate_config(config, both_ways=True, say=silent)
    with pytest.raises(ConfigError, match=r"--both-ways.*several"):
        evaluate_both_ways(None, (), (), DistillationTask({}, "Student"), 0)
