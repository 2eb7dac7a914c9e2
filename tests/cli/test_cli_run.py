"""One small run through the front door: check, train, eval, export, predict; the saved config starts another run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from ocrtune.cli.main import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight crops of noise, labelled abc, and a dictionary."""
    folder = tmp_path_factory.mktemp("data set")
    for i in range(8):
        noise = np.random.default_rng(i).integers(0, 255, (32, 96, 3), np.uint8)
        cv2.imwrite(str(folder / f"{i}.jpg"), noise)
    (folder / "labels.txt").write_text("".join(f"{i}.jpg\tabc\n" for i in range(8)))
    (folder / "keys.txt").write_text("a\nb\nc\n")
    return folder


@pytest.fixture(scope="module")
def overrides(folder: Path) -> list[str]:
    return [
        "-o",
        "Global.pretrained_model=",
        f"Global.character_dict_path={folder}/keys.txt",
        "Global.epoch_num=1",
        f"Global.save_model_dir={folder}/run",
        f"Train.dataset.data_dir={folder}",
        f"Train.dataset.label_file_list={folder}/labels.txt",
        "-o",
        "Train.loader={shuffle: true, batch_size_per_card: 2, num_workers: 0}",
        "Eval.loader.num_workers=0",
        "Eval.dataset.holdout=0.25",
    ]


@pytest.fixture(scope="module")
def run(folder: Path, overrides: list[str]) -> Path:
    assert main(["train", "-c", "rec/PP-OCRv2", *overrides, "--device", "cpu"]) == 0
    return folder / "run"


def test_check(overrides: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "-c", "rec/PP-OCRv2", *overrides]) == 0
    said = capsys.readouterr().out
    assert "6 lines" in said
    assert "2 lines" in said
    assert said.endswith("ready to train\n")


def test_eval_of_the_run_and_of_its_weights_agree(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = []
    for command in (["eval", str(run)], ["eval", "-c", str(run / "config.yml"), "--weights", str(run)]):
        assert main([*command, "--json", str(run / "metrics.json")]) == 0
        found.append(json.loads((run / "metrics.json").read_text()))
    assert found[0] == found[1]
    assert found[0]["n"] == 2
    assert "accuracy" in capsys.readouterr().out


def test_eval_on_other_images(run: Path, folder: Path) -> None:
    other = ["-o", f"Eval.dataset.label_file_list={folder}/labels.txt", f"Eval.dataset.data_dir={folder}"]
    assert main(["eval", str(run), *other, "--json", str(run / "metrics.json")]) == 0
    assert json.loads((run / "metrics.json").read_text())["n"] == 8


def test_eval_cannot_write(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", str(run), "--json", str(run / "config.yml" / "x.json")]) == 1
    assert "Not a directory" in capsys.readouterr().err


def test_export_and_predict_without_torch(run: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exported = folder / "exported"
    assert main(["export", str(run), "--output", str(exported)]) == 0
    said = capsys.readouterr().out
    assert "100.0% of 2 validation images give the same result" in said
    code = (
        "import sys; from ocrtune.cli.main import main; code = main(sys.argv[1:]); "
        "print('torch:', 'torch' in sys.modules); sys.exit(code)"
    )
    pages = folder / "pages"
    pages.mkdir()
    for name in ("0.jpg", "1.jpg"):
        (pages / name).write_bytes((folder / name).read_bytes())
    command = ["predict", "--rec", str(exported), "--input", str(pages), "--output", str(folder / "out")]
    parameters = [
        "--det_db_thresh",
        "0.2",
        "--use_dilation",
        "True",
        "--det_limit_type",
        "min",
        "--max_batch_size",
        "2",
    ]
    done = subprocess.run([sys.executable, "-c", code, *command, *parameters], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "%|" not in done.stderr  # no progress bar where nobody sees it move
    assert done.stdout.endswith("torch: False\n")
    record, _ = [json.loads(line) for line in (folder / "out" / "predictions.jsonl").read_text().splitlines()]
    assert (record["image"], record["width"], record["height"]) == ("0.jpg", 96, 32)
    assert (folder / "out" / "pictures" / "0.jpg").is_file()


def test_the_saved_config_starts_another_run(run: Path, folder: Path) -> None:
    again = ["train", "-c", str(run / "config.yml"), "-o", f"Global.save_model_dir={folder}/again"]
    assert main(again) == 0
    assert (folder / "again" / "best.safetensors").is_file()


def test_a_run_folder_is_not_overwritten(run: Path, overrides: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "-c", "rec/PP-OCRv2", *overrides]) == 2
    assert "already holds a run" in capsys.readouterr().err


def test_a_new_dictionary_keeps_the_characters_it_shares(
    run: Path, overrides: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "more.txt").write_text("c\nb\na\nd\n")
    other = [
        f"Global.pretrained_model={run}",
        f"Global.character_dict_path={folder}/more.txt",
        f"Global.save_model_dir={folder}/more",
    ]
    assert main(["train", "-c", "rec/PP-OCRv2", *overrides, "-o", *other]) == 1
    assert "dictionary" in capsys.readouterr().err
    assert main(["train", "-c", "rec/PP-OCRv2", *overrides, "-o", *other, "Global.on_mismatch=by_character"]) == 0
