"""Bad input through the front door: each ends in an exit code and lines that name the place and the mistake."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from ocrtune.cli.main import main
from ocrtune.weights import catalogue

_POINTS = [[2, 2], [40, 2], [40, 20], [2, 20]]


@dataclass(frozen=True)
class Fault:
    """prepare: fills a folder and gives the command line. code: exit code. said: pieces of the error lines."""

    name: str
    prepare: Callable[[Path], list[str]]
    code: int
    said: tuple[str, ...]


def write_images(folder: Path, count: int = 4) -> list[str]:
    """Names of ``count`` readable images of noise."""
    names = [f"{i}.jpg" for i in range(count)]
    for i, name in enumerate(names):
        noise = np.random.default_rng(i).integers(0, 255, (32, 64, 3), np.uint8)
        cv2.imwrite(str(folder / name), noise)
    return names


def train_rec(folder: Path, lines: list[str] | None = None, *overrides: str) -> list[str]:
    """Train PP-OCRv2 recognition from scratch on ``lines`` (default: four good ones) with the dictionary a to e."""
    names = write_images(folder)
    good = [f"{name}\tabc" for name in names]
    (folder / "labels.txt").write_text("\n".join(good if lines is None else lines), encoding="utf-8")
    (folder / "abcde.txt").write_text("a\nb\nc\nd\ne\n", encoding="utf-8")
    values = {
        "Global.pretrained_model": "",
        "Global.character_dict_path": folder / "abcde.txt",
        "Global.use_space_char": "false",
        "Global.epoch_num": 1,
        "Global.save_model_dir": folder / "run",
        "Train.dataset.data_dir": folder,
        "Train.dataset.label_file_list": folder / "labels.txt",
        "Train.loader.num_workers": 0,
        "Eval.loader.num_workers": 0,
        "Train.loader.batch_size_per_card": 2,
        "Eval.dataset.holdout": 0.5,
    }
    return ["train", "-c", "rec/PP-OCRv2", "-o", *(f"{key}={value}" for key, value in values.items()), *overrides]


def train_det(folder: Path, label: str) -> list[str]:
    """Train PP-OCRv2 detection from scratch on three good lines and one with ``label``."""
    names = write_images(folder)
    good = json.dumps([{"transcription": "abc", "points": _POINTS}])
    lines = [f"{name}\t{good}" for name in names[:3]] + [f"{names[3]}\t{label}"]
    (folder / "labels.txt").write_text("\n".join(lines), encoding="utf-8")
    values = {
        "Global.epoch_num": 1,
        "Global.save_model_dir": folder / "run",
        "Train.dataset.data_dir": folder,
        "Train.dataset.label_file_list": folder / "labels.txt",
        "Train.loader.num_workers": 0,
        "Eval.loader.num_workers": 0,
    }
    return ["train", "-c", "det/PP-OCRv2_student", "-o", *(f"{key}={value}" for key, value in values.items())]


def missing_image(folder: Path) -> list[str]:
    return train_rec(folder, ["0.jpg\tabc", "gone.jpg\tabc", "1.jpg\tabc", "also_gone.jpg\tabc"])


def broken_image(folder: Path) -> list[str]:
    command = train_rec(folder)
    (folder / "2.jpg").write_bytes(b"this is no image")
    return command


def truncated_image(folder: Path) -> list[str]:
    """OpenCV would decode it, with the lost half grey."""
    command = train_rec(folder)
    content = (folder / "2.jpg").read_bytes()
    (folder / "2.jpg").write_bytes(content[: len(content) // 2])
    return command


def no_tab(folder: Path) -> list[str]:
    return train_rec(folder, ["0.jpg\tabc", "1.jpg abc", "2.jpg\tabc"])


def empty_labels(folder: Path) -> list[str]:
    return train_rec(folder, [])


def outside_the_dictionary(folder: Path) -> list[str]:
    (folder / "val.txt").write_text("0.jpg\tabc\n")
    own = [f"Eval.dataset.label_file_list={folder}/val.txt", f"Eval.dataset.data_dir={folder}"]
    return train_rec(folder, ["0.jpg\tabZ", "1.jpg\tabc", "2.jpg\tZZ", "3.jpg\taéa"], *own)


def two_points(folder: Path) -> list[str]:
    return train_det(folder, json.dumps([{"transcription": "x", "points": _POINTS[:2]}]))


def unknown_key(folder: Path) -> list[str]:
    return train_rec(folder, None, "Global.epch_num=3")


def wrong_type(folder: Path) -> list[str]:
    return train_rec(folder, None, "Optimizer.lr.learning_rate=fast")


def missing_dictionary(folder: Path) -> list[str]:
    return train_rec(folder, None, f"Global.character_dict_path={folder}/gone.txt")


def repeated_dictionary(folder: Path) -> list[str]:
    command = train_rec(folder)
    (folder / "abcde.txt").write_text("a\nb\na\n\n", encoding="utf-8")
    return command


def other_dictionary(folder: Path) -> list[str]:
    """The released weights know 18708 characters, not these five."""
    command = train_rec(folder, None, "Global.pretrained_model=PP-OCRv6_small_rec")
    return ["rec/PP-OCRv6_small" if word == "rec/PP-OCRv2" else word for word in command]


def damaged_pdparams(folder: Path) -> list[str]:
    content = pickle.dumps({"backbone.conv.weight": np.zeros((8, 3, 3, 3), np.float32)})
    (folder / "damaged.pdparams").write_bytes(content[:200])
    return train_rec(folder, None, f"Global.pretrained_model={folder}/damaged.pdparams")


class Malicious:
    """Unpickling it would write a file."""

    def __init__(self, target: Path):
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return (open, (str(self.target), "w"))


def malicious_pdparams(folder: Path) -> list[str]:
    content = pickle.dumps({"backbone.conv.weight": Malicious(folder / "stolen")})
    (folder / "malicious.pdparams").write_bytes(content)
    return train_rec(folder, None, f"Global.pretrained_model={folder}/malicious.pdparams")


def other_architecture(folder: Path) -> list[str]:
    path = catalogue.find("PP-OCRv6_small_det").path()
    return train_rec(folder, None, f"Global.pretrained_model={path}")


def unwritable_run(folder: Path) -> list[str]:
    (folder / "file").write_text("not a folder")
    return train_rec(folder, None, f"Global.save_model_dir={folder}/file/run")


def unwritable_predictions(folder: Path) -> list[str]:
    [name] = write_images(folder, 1)
    (folder / "file").write_text("not a folder")
    return ["predict", "--input", str(folder / name), "--output", str(folder / "file" / "out")]


def predict_nothing(folder: Path) -> list[str]:
    return ["predict", "--input", str(folder / "gone"), "--output", str(folder / "out")]


def predict_broken_image(folder: Path) -> list[str]:
    write_images(folder / ".", 1)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 and nothing else")
    return ["predict", "--input", str(folder), "--output", str(folder / "out")]


def predict_with_swapped_models(folder: Path) -> list[str]:
    write_images(folder, 1)
    return ["predict", "--input", str(folder), "--output", str(folder / "out"), "--det", "PP-OCRv6_small_rec"]


def predict_not_onnx(folder: Path) -> list[str]:
    write_images(folder, 1)
    (folder / "model.onnx").write_bytes(b"PK not a model")
    return ["predict", "--input", str(folder), "--output", str(folder / "out"), "--rec", str(folder / "model.onnx")]


def predict_wrong_dictionary(folder: Path) -> list[str]:
    write_images(folder, 1)
    (folder / "abc.txt").write_text("a\nb\nc\n")
    dictionary = ["--rec_char_dict_path", str(folder / "abc.txt")]
    return ["predict", "--input", str(folder), "--output", str(folder / "out"), *dictionary]


def export_no_run(folder: Path) -> list[str]:
    return ["export", str(folder), "--output", str(folder / "out")]


def eval_no_run(folder: Path) -> list[str]:
    return ["eval", str(folder)]


def eval_neither(folder: Path) -> list[str]:
    return ["eval"]


FAULTS = (
    Fault("missing image", missing_image, 1, ("labels.txt:2: no such image: ", "gone.jpg", "labels.txt:4: ")),
    Fault("image that is none", broken_image, 1, ("labels.txt:3: ", "2.jpg is not a readable image")),
    Fault("truncated JPEG", truncated_image, 1, ("labels.txt:3: ", "2.jpg is damaged")),
    Fault("line without tab", no_tab, 1, ("labels.txt:2: no tab between image and label: '1.jpg abc'",)),
    Fault("empty label file", empty_labels, 1, ("labels.txt: the label file is empty",)),
    Fault("invalid JSON", lambda folder: train_det(folder, "[{"), 1, ("labels.txt:4: the label is not valid JSON",)),
    Fault("polygon with two points", two_points, 1, ("labels.txt:4 text 1: the polygon has 2 points",)),
    Fault("characters outside the dictionary", outside_the_dictionary, 1, ("'Z' (U+005A) x 3", "'é' (U+00E9) x 1")),
    Fault("unknown key", unknown_key, 2, ("Global.epch_num: unknown key. did you mean 'epoch_num'?",)),
    Fault("wrong type", wrong_type, 2, ("Optimizer.lr.learning_rate: got 'fast', expected a number",)),
    Fault("missing dictionary", missing_dictionary, 2, ("Global.character_dict_path: no dictionary ", "gone.txt")),
    Fault("broken dictionary", repeated_dictionary, 1, ("abcde.txt:3: 'a' is already on line 1", "abcde.txt:4: empty")),
    Fault("dictionary of other weights", other_dictionary, 1, ("has 18710 classes", "the model has 6")),
    Fault("truncated .pdparams", damaged_pdparams, 1, ("damaged.pdparams: ",)),
    Fault("malicious pickle", malicious_pdparams, 1, ("malicious.pdparams: ", "io.open")),
    Fault("ONNX of another architecture", other_architecture, 1, ("PP-OCRv6_det_small.onnx: ", "another architecture")),
    Fault("unwritable run folder", unwritable_run, 2, ("Global.save_model_dir: cannot write to ",)),
    Fault("unwritable predictions", unwritable_predictions, 1, ("cannot be written (Not a directory)",)),
    Fault("no input", predict_nothing, 1, ("gone: no such file or folder",)),
    Fault(
        "one broken image among good ones",
        predict_broken_image,
        1,
        ("broken.jpg is not an image that OpenCV can decode",),
    ),
    Fault("recogniser given as detector", predict_with_swapped_models, 1, ("this is a text recognition model",)),
    Fault("model file that is none", predict_not_onnx, 1, ("model.onnx: ",)),
    Fault("dictionary of another model", predict_wrong_dictionary, 1, ("classes, its dictionary gives",)),
    Fault("export of no run", export_no_run, 1, ("not a run folder",)),
    Fault("eval of no run", eval_no_run, 2, ("not a run folder",)),
    Fault("eval of nothing", eval_neither, 2, ("expected a run folder or -c",)),
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.replace(" ", "-"))
def test_fault(fault: Fault, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path_factory.mktemp("bad")  # tmp_path would hold the fault's name, which the messages must say
    command = fault.prepare(folder)
    assert main(command) == fault.code
    said = capsys.readouterr().err
    errors = [line.removeprefix("error: ") for line in said.splitlines() if line.startswith("error: ")]
    assert errors, said
    assert len(errors) <= 21, "a list that long helps nobody"
    for fragment in fault.said:
        assert any(fragment in line for line in errors), errors
    assert "Traceback" not in said
    assert not (folder / "stolen").exists()


def test_a_broken_image_does_not_stop_the_others(tmp_path: Path) -> None:
    assert main(predict_broken_image(tmp_path)) == 1
    lines = (tmp_path / "out" / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    records = {record["image"]: record for record in map(json.loads, lines)}
    assert "items" in records["0.jpg"]
    assert "error" in records["broken.jpg"]
