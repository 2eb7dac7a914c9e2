"""Evaluation and prediction with a language read blurred look-alikes as the words that they are meant to be."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from drawn_lines import draw_lines
from tiny_runs import det_config

from ocrtune.cli.main import main
from ocrtune.codec.language import Language
from ocrtune.core.errors import ConfigError
from ocrtune.training.run import evaluate_config

LOOK_ALIKES = {"5H0P": "SHOP", "d00r": "door", "STQP": "STOP", "river": "river"}


def test_eval_reads_look_alikes_as_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = draw_lines(tmp_path, LOOK_ALIKES, blur=4)
    words = tmp_path / "words.txt"
    words.write_text("".join(f"{word}\n" for word in LOOK_ALIKES.values()))
    command = ["eval", "-c", "rec/PP-OCRv6_small", "-o", f"Eval.dataset.data_dir={tmp_path}"]
    command += ["-o", f"Eval.dataset.label_file_list={labels}", "-o", "Eval.loader.num_workers=0"]
    accuracy = []
    for number, flags in enumerate(([], ["--language-labels", str(labels), "--language-words", str(words)])):
        path = tmp_path / f"{number}.json"
        assert main([*command, "--json", str(path), *flags]) == 0
        accuracy.append(json.loads(path.read_text())["accuracy"])
    assert accuracy[0] <= 0.5
    assert accuracy[1] >= 0.75


def test_predict_reads_look_alikes_as_words(tmp_path: Path) -> None:
    labels = draw_lines(tmp_path, LOOK_ALIKES, blur=4)
    from ocrtune.inference.images import read_image
    from ocrtune.inference.models import open_recogniser
    from ocrtune.inference.options import PredictOptions

    crops = [read_image(tmp_path / f"{i}.png") for i in range(len(LOOK_ALIKES))]
    n_right = []
    for options in (PredictOptions(), PredictOptions(language_labels=labels)):
        texts = [result.text for result in open_recogniser(options=options)(crops)]
        n_right.append(sum(text == word for text, word in zip(texts, LOOK_ALIKES.values())))
    assert n_right[0] <= 2
    assert n_right[1] >= 3


def test_predict_tells_a_bad_language_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw_lines(tmp_path, {"river": "river"}, blur=1)
    command = ["predict", "--input", str(tmp_path / "0.png"), "--output", str(tmp_path / "out")]
    assert main([*command, "--language_words", "gone.txt"]) == 1
    assert capsys.readouterr().err.strip() == "error: gone.txt: cannot read the file (No such file or directory)"


def test_a_detector_is_refused(tmp_path: Path) -> None:
    config = det_config(tmp_path, 1)
    config = replace(config, global_options=replace(config.global_options, pretrained_model=None))
    with pytest.raises(ConfigError, match=r"--language-labels, --language-words: for recognition by a single network"):
        evaluate_config(config, language=Language(["river"]))
