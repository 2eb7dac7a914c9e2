"""Tuning of the post-processing: it finds settings that are better by construction, and the run uses them."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from tiny_runs import det_config, rec_config

from ocrtune.codec.db import DBPostProcess, encode_maps
from ocrtune.codec.image import Scale
from ocrtune.core.errors import ConfigError
from ocrtune.core.records import Sample, TextInstance
from ocrtune.export.run import export_run
from ocrtune.training.run import train
from ocrtune.training.run_folder import load_run
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
