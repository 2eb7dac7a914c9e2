"""Where the base model reads the characters of the training lines, and that a run keeps it."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from tiny_runs import det_config, rec_config

from ocrtune.codec.crop import rotate180
from ocrtune.codec.image import RecPreprocess
from ocrtune.config.component import Component
from ocrtune.config.schema import RunConfig
from ocrtune.core.errors import ConfigError, WeightsError
from ocrtune.data.item import Spelled
from ocrtune.data.labels import read_label_set
from ocrtune.data.transforms.rec_cut_mix import RecCutMixOptions
from ocrtune.training.checkpoint import LATEST
from ocrtune.training.run import assemble, train
from ocrtune.training.spelling import SPELLED, measure_spelling, read_spelled, save_spelled, spelled_lines
from ocrtune.weights.native import read_native
from ocrtune.weights.released import load_released

WORDS = ["river", "stone", "garden", "window", "bridge", "candle"]


def cutting(config: RunConfig, prob: float = 1.0) -> RunConfig:
    """``config`` with RecCutMix behind DecodeImage."""
    dataset = config.train.dataset
    cut = Component("RecCutMix", RecCutMixOptions(prob), {"prob": prob})
    steps = (*dataset.transforms[:1], cut, *dataset.transforms[1:])
    return replace(config, train=replace(config.train, dataset=replace(dataset, transforms=steps)))


def test_the_released_model_says_where_the_letters_are(tmp_path: Path) -> None:
    lines, pitch = [], 28
    for i, word in enumerate(WORDS):
        image = np.full((48, pitch * len(word) + 12, 3), 235, np.uint8)
        for k, letter in enumerate(word):
            cv2.putText(image, letter, (6 + pitch * k, 34), cv2.FONT_HERSHEY_SIMPLEX, 1.1, (20, 30, 40), 2, cv2.LINE_AA)
        cv2.imwrite(str(tmp_path / f"{i}.png"), rotate180(image) if i == 1 else image)
        lines.append(f"{i}.png\t{word if i != 2 else 'wrong'}\n")
    (tmp_path / "lines.txt").write_text("".join(lines) + "0.png\tr\n")
    config = rec_config(tmp_path, 1)
    source = tmp_path / "lines.txt"
    dataset = replace(config.train.dataset, label_file_list=(source,), data_dir=tmp_path, ratio_list=(1.0,))
    labels = read_label_set(dataset, "rec")
    model, charset, _ = load_released("PP-OCRv6_small_rec")
    found = measure_spelling(model, labels, RecPreprocess(), config, charset, torch.device("cpu"))
    assert found.keys() == {f"{source}:{i + 1}" for i in (0, 1, 3, 4, 5)}
    assert [found[f"{source}:{i + 1}"].turned for i in (0, 1, 3)] == [False, True, False]
    for i in (0, 1, 3, 4, 5):
        places, word = found[f"{source}:{i + 1}"].places, WORDS[i]
        assert len(places) == len(word)
        pixels = np.array(places) * (pitch * len(word) + 12)
        assert np.abs(pixels - (6 + pitch * (np.arange(len(word)) + 0.4))).max() < pitch * 0.6


def test_a_run_reads_once_and_goes_on_with_the_same(tmp_path: Path) -> None:
    spelled = {"a.txt:1": Spelled(False, (0.125, 0.5)), "a.txt:2": Spelled(True, (0.0, 0.25, 1.0))}
    said: list[str] = []
    config = rec_config(tmp_path, 1)
    assert spelled_lines(config, lambda: spelled, said.append) is None
    assert spelled_lines(cutting(config, prob=0), lambda: spelled, said.append) is None
    assert not said
    assert spelled_lines(cutting(config), lambda: spelled, said.append) == spelled
    assert said == ["cut and mixed: 2 training lines that the base model reads as labelled"]
    folder = tmp_path / "run"
    folder.mkdir()
    save_spelled(folder, None)
    again = cutting(rec_config(tmp_path, 1, f"Global.checkpoints={folder}"))
    with pytest.raises(WeightsError, match="start the run anew"):
        spelled_lines(again, dict, said.append)
    save_spelled(folder, spelled)
    assert read_spelled(folder / SPELLED) == spelled
    assert spelled_lines(again, dict, said.append) == spelled
    for damaged in ("[]", '{"a": 1}', "{"):
        (folder / SPELLED).write_text(damaged)
        with pytest.raises(WeightsError, match="start the run anew"):
            read_spelled(folder / SPELLED)


def test_a_resumed_run_mixes_alike(tmp_path: Path) -> None:
    source = tmp_path / "data" / "train.txt"
    spelled = {f"{source}:{i + 1}": Spelled(False, (0.1, 0.45)) for i in range(8)}

    def run(epochs: int, name: str, *more: str, read: bool = True) -> dict[str, np.ndarray]:
        config = cutting(rec_config(tmp_path, 2, f"Global.epoch_num={epochs}", *more, run=name))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("ocrtune.training.run.measure_spelling", lambda *_: spelled if read else {})
            train(config, device="cpu", say=lambda line: None)
        return read_native(tmp_path / name / LATEST)[0]

    constant = "Optimizer.lr={name: Const, learning_rate: 0.001}"
    whole, unmixed = run(2, "whole", constant), run(2, "unmixed", constant, read=False)
    run(1, "parts", constant)
    resumed = run(2, "parts", constant, f"Global.checkpoints={tmp_path / 'parts'}", read=False)
    assert all(np.array_equal(whole[name], resumed[name]) for name in whole)
    assert any(not np.array_equal(whole[name], unmixed[name]) for name in whole)


def test_a_detector_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="RecCutMix is for recognition"):
        assemble(cutting(det_config(tmp_path, 1)), say=lambda line: None)
