"""Tuning of post-processing and scale: it finds what is better by construction, and the run uses it."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from tiny_runs import det_config, rec_config

from ocrtune.codec.db import DBPostProcess, encode_maps
from ocrtune.codec.image import Scale
from ocrtune.core.errors import ConfigError
from ocrtune.core.records import Sample, TextInstance
from ocrtune.data.transforms.det_resize_for_test import DetResizeForTestOptions
from ocrtune.export.run import export_run
from ocrtune.training.run import train
from ocrtune.training.run_folder import load_run
from ocrtune.training.scales import resize_of, resize_text, resizes
from ocrtune.training.tune import GRID, Page, Tuning, measure, measured_with, search, tune_run

SIDE = 160


def page(seed: int, confidence: float = 0.5) -> Page:
    """One text as the network would draw it at ``confidence``, and a fainter false one."""
    rng = np.random.default_rng(seed)
    x, y = rng.integers(10, 40, 2)
    box = np.array([[x, y], [x + 90, y], [x + 90, y + 30], [x, y + 30]], np.float32)
    false = np.array([[20, 110], [120, 110], [120, 140], [20, 140]], np.float32)
    maps = [encode_maps([p], np.zeros(1, bool), (SIDE, SIDE)).shrink_map for p in (box, false)]
    probability = (confidence * maps[0] + 0.42 * maps[1]).astype(np.float16)
    sample = Sample("label.txt:1", Path("page.jpg"), instances=(TextInstance(box, "text"),))
    return Page(probability, Scale(SIDE, SIDE), sample)


def test_search_finds_the_threshold_between_text_and_noise() -> None:
    pages = [page(seed) for seed in range(4)]
    start = DBPostProcess(box_thresh=0.6)
    assert measure(pages, start)["hmean"] == 0  # both boxes are below the threshold
    tuning = search(pages, start)
    assert tuning.metrics_before["hmean"] == 0
    assert tuning.metrics_after["hmean"] == 1
    assert 0.42 < tuning.after.box_thresh < 0.5
    assert tuning.tried > sum(len(values) for values in GRID.values()) / 2


def test_settings_stay_when_nothing_is_better() -> None:
    pages = [page(seed, confidence=1.0) for seed in range(2)]
    start = DBPostProcess(score_mode="slow")
    tuning = search(pages, start)
    assert tuning.metrics_before["hmean"] == 1
    assert tuning.after == start


def test_a_run_uses_what_was_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = train(det_config(tmp_path, 3), say=lambda line: None).folder
    before = load_run(folder).config
    tuning = tune_run(folder)
    assert "only 4 validation images" in capsys.readouterr().out
    assert tuning.metrics_after["hmean"] >= tuning.metrics_before["hmean"]
    after = load_run(folder).config
    assert after.postprocess.options == tuning.after
    assert dataclasses.replace(after, postprocess=before.postprocess) == before  # nothing else changed


def test_recognition_has_nothing_to_tune(tmp_path: Path) -> None:
    folder = train(rec_config(tmp_path, 1), say=lambda line: None).folder
    with pytest.raises(ConfigError, match="recognition run has no thresholds"):
        tune_run(folder)


def test_stored_metrics_are_not_passed_on_for_settings_that_they_were_not_measured_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = train(det_config(tmp_path, 1), say=lambda line: None).folder
    run = load_run(folder)
    assert run.score is not None
    assert measured_with(folder, run) == (run.score.metrics, "")

    def found(pages: list[Page], start: DBPostProcess) -> Tuning:
        return Tuning(4, 9, start, dataclasses.replace(start, box_thresh=0.45), {"hmean": 0.5}, {"hmean": 0.75})

    monkeypatch.setattr("ocrtune.training.tune.search", found)
    tune_run(folder, say=lambda line: None)
    tuned = load_run(folder)
    assert measured_with(folder, tuned) == (
        {"hmean": 0.75},
        "the metrics are those of 'ocrtune tune' on 4 validation images",
    )
    assert export_run(folder, tmp_path / "out", gate_images=0).notes[0].startswith("the metrics are those of")
    other = dataclasses.replace(tuned, score=dataclasses.replace(run.score, step=99))
    assert measured_with(folder, other)[0] == {}
    assert measured_with(folder, run) == (run.score.metrics, "")  # the settings that training used


def test_the_smallest_of_the_best_scales_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = train(det_config(tmp_path, 1), say=lambda line: None).folder
    before = load_run(folder).config

    def found(pages: list[Page], start: DBPostProcess) -> Tuning:
        large = max(pages[0].probability.shape) >= 128
        return Tuning(4, 9, start, start, {"hmean": 0.25}, {"hmean": 0.75 if large else 0.5})

    monkeypatch.setattr("ocrtune.training.tune.search", found)
    monkeypatch.setattr("ocrtune.training.tune.resize_of", lambda config: DetResizeForTestOptions(limit_side_len=64))
    tuning = tune_run(folder, scales=[192, 128, 64], say=lambda line: None)
    assert [at.scale for at in tuning.scales] == ["64 min", "192 min", "128 min"]
    assert tuning.scales[1].megapixels > tuning.scales[2].megapixels > tuning.scales[0].megapixels
    assert (tuning.scale, tuning.tried, tuning.changed) == ("128 min", 27, True)
    assert tuning.metrics_after == {"hmean": 0.75}
    monkeypatch.undo()
    tuned = load_run(folder)
    assert resize_of(tuned.config) == DetResizeForTestOptions(limit_side_len=128)
    assert tuned.config.train == before.train
    assert tuned.config.postprocess == before.postprocess
    assert measured_with(folder, tuned)[0] == {"hmean": 0.75}
    larger = dataclasses.replace(tuned, config=before)
    assert tuned.score is not None
    assert measured_with(folder, larger)[0] == tuned.score.metrics  # at another scale: not what tuning measured


def test_a_side_takes_the_place_of_whatever_the_resize_says() -> None:
    def texts(**start: object) -> list[str]:
        return [resize_text(resize) for resize in resizes(DetResizeForTestOptions(**start), [960, 1280])]

    assert texts() == ["736 min", "960 min", "1280 min"]
    assert texts(limit_side_len=960, limit_type="max") == ["960 max", "1280 max"]
    assert texts(resize_long=640) == ["640 long", "960 long", "1280 long"]
    assert texts(image_shape=(640, 480)) == ["640x480", "960 max", "1280 max"]
