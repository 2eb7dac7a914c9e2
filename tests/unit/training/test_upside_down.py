"""Whether crops are turned in training is decided by what the base model reads."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from tiny_runs import det_config, rec_config

from ocrtune.codec.crop import rotate180
from ocrtune.codec.image import RecPreprocess
from ocrtune.config.component import Component
from ocrtune.config.schema import RunConfig
from ocrtune.core.errors import ConfigError
from ocrtune.data.labels import read_label_set
from ocrtune.data.transforms.random_rotate180 import RandomRotate180Options
from ocrtune.training.run import assemble, train
from ocrtune.training.run_folder import saved_config
from ocrtune.training.upside_down import Orientation, decide_turns, measure_orientation
from ocrtune.weights.released import load_released

WORDS = ["river", "stone", "garden", "window", "bridge", "candle", "market", "silver", "orange", "forest"]


def turning(config: RunConfig, auto_prob: float = 0.3) -> RunConfig:
    """``config`` with RandomRotate180 behind DecodeImage."""
    dataset = config.train.dataset
    turn = Component("RandomRotate180", RandomRotate180Options("auto", auto_prob), {"prob": "auto"})
    steps = (*dataset.transforms[:1], turn, *dataset.transforms[1:])
    return replace(config, train=replace(config.train, dataset=replace(dataset, transforms=steps)))


def turn_of(config: RunConfig) -> object:
    [component] = [c for c in config.train.dataset.transforms if c.name == "RandomRotate180"]
    assert component.raw["prob"] == component.options.prob
    return component.options.prob


@pytest.mark.parametrize(
    ("orientation", "mixed", "words"),
    [
        (Orientation(256, 200, 14), True, "7.0% of 200 lines that the base model can read are upside down"),
        (Orientation(256, 200, 3), False, "1.5% of 200 lines that the base model can read are upside down"),
        (Orientation(256, 12, 6), False, "the base model reads only 12 of 256 lines"),
    ],
)
def test_the_rule(orientation: Orientation, mixed: bool, words: str) -> None:
    assert orientation.mixed == mixed
    assert str(orientation) == words


@pytest.mark.parametrize("turned", [0, 1, 4])
def test_the_released_model_sees_which_words_stand_on_their_head(turned: int, tmp_path: Path) -> None:
    lines = []
    for i, word in enumerate(WORDS * 2):
        image = np.full((48, 32 * len(word), 3), 235, np.uint8)
        cv2.putText(image, word, (12, 34), cv2.FONT_HERSHEY_SIMPLEX, 1.1, (20, 30, 40), 2, cv2.LINE_AA)
        cv2.imwrite(str(tmp_path / f"{i}.png"), rotate180(image) if i < turned else image)
        lines.append(f"{i}.png\t{word}\n")
    (tmp_path / "lines.txt").write_text("".join(lines))
    config = rec_config(tmp_path, 1)
    dataset = replace(
        config.train.dataset, label_file_list=(tmp_path / "lines.txt",), data_dir=tmp_path, ratio_list=(1.0,)
    )
    labels = read_label_set(dataset, "rec")
    model, charset, _ = load_released("PP-OCRv6_small_rec")
    found = measure_orientation(model, labels, RecPreprocess(), config, charset)
    assert (found.lines, found.turned) == (20, turned)
    assert found.read >= 18


def test_auto_becomes_a_number_that_the_run_keeps(tmp_path: Path) -> None:
    asked = []

    def measure() -> Orientation:
        asked.append(1)
        return Orientation(100, 50, 10)

    said: list[str] = []
    config = rec_config(tmp_path, 1)
    assert decide_turns(config, measure, said.append) is config
    assert not asked
    assert turn_of(decide_turns(turning(config), measure, said.append)) == 0.3
    assert turn_of(decide_turns(turning(config, 0.5), measure, lambda line: None)) == 0.5
    assert said == [
        "upside down: 20.0% of 50 lines that the base model can read are upside down: 30% of the crops are turned"
    ]

    parts = assemble(turning(config), say=said.append)  # random weights read nothing
    assert any(line.endswith("lines: crops are not turned") for line in said)
    assert turn_of(parts.config) == 0.0
    assert turn_of(saved_config(tmp_path / "run")) == 0.0


def test_a_resumed_run_keeps_its_number(tmp_path: Path) -> None:
    asked: list[int] = []
    decided = decide_turns(turning(rec_config(tmp_path, 1)), lambda: Orientation(100, 50, 10), lambda line: None)
    train(decided, say=lambda line: None)
    again = turning(rec_config(tmp_path, 1, f"Global.checkpoints={tmp_path / 'run'}"))
    kept = decide_turns(again, lambda: asked.append(1) or Orientation(100, 50, 0), lambda line: None)
    assert turn_of(kept) == 0.3
    assert not asked


def test_a_detector_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="RandomRotate180 is for recognition"):
        assemble(turning(det_config(tmp_path, 1)), say=lambda line: None)
