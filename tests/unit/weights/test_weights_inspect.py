"""Which model a file is, from the file alone."""

import numpy as np
import pytest

from ocrtune.cli.main import main
from ocrtune.core.charset import Charset
from ocrtune.weights.architectures import ARCHITECTURES
from ocrtune.weights.inspect import inspect_weights
from ocrtune.weights.pdparams import read_pdparams, write_pdparams
from ocrtune.weights.prefixes import compose
from ocrtune.weights.released import build_section
from ocrtune.weights.to_paddle import paddle_state

CHARSET = Charset("0123456789", use_space_char=True)


def state(name):
    section = ARCHITECTURES[name]
    return paddle_state(build_section(section, CHARSET if section["model_type"] == "rec" else None))


@pytest.fixture(scope="module")
def student():
    return state("ch_PP-OCRv2_det_student")


@pytest.fixture(scope="module")
def v2_rec():
    return state("ch_PP-OCRv2_rec")


def test_training_checkpoint_of_a_recogniser(tmp_path, v2_rec):
    write_pdparams(tmp_path / "x.pdparams", v2_rec)
    (found,) = inspect_weights(tmp_path / "x.pdparams").networks
    assert found.model == "ch_PP-OCRv2_rec"
    assert (found.prefix, found.form, found.classes) == ("", "training", 12)
    assert found.report.complete
    assert not found.report.training_only
    assert not found.report.unexpected


def test_distilled_checkpoint_names_each_network(tmp_path, student, capsys):
    teacher = state("ch_det_res18_db_v2.0")
    write_pdparams(tmp_path / "cml.pdparams", compose({"Student": student, "Teacher": teacher}))
    found = inspect_weights(tmp_path / "cml.pdparams").networks
    assert [(n.prefix, n.model) for n in found] == [
        ("Student.", "ch_PP-OCRv2_det_student"),
        ("Teacher.", "ch_det_res18_db_v2.0"),
    ]
    assert main(["weights", "inspect", str(tmp_path / "cml.pdparams")]) == 0
    printed = capsys.readouterr().out
    assert "network under 'Teacher.'" in printed
    assert "model       ch_PP-OCRv2_det_student" in printed
    assert "missing     nothing: complete for training" in printed


def test_unknown_weights_are_called_unknown(tmp_path, capsys):
    write_pdparams(tmp_path / "x.pdparams", {"linear_0.w_0": np.ones((2, 2), np.float32)})
    assert inspect_weights(tmp_path / "x.pdparams").networks[0].model is None
    assert main(["weights", "inspect", str(tmp_path / "x.pdparams")]) == 0
    assert "unknown: no network of PP-OCR fits" in capsys.readouterr().out


def test_cut_checkpoint_names_the_closest_and_what_is_missing(tmp_path, student):
    less = {name: value for name, value in student.items() if not name.startswith("neck.in2")}
    write_pdparams(tmp_path / "x.pdparams", less)
    (found,) = inspect_weights(tmp_path / "x.pdparams").networks
    assert (found.model, found.closest) == (None, "ch_PP-OCRv2_det_student")
    assert found.report.missing == ("neck.in2_conv.weight",)


def test_default_weights_are_named(capsys):
    assert main(["weights", "inspect", "PP-OCRv6_small_det"]) == 0
    printed = capsys.readouterr().out
    assert "model       PP-OCRv6_small_det, release form" in printed
    assert "head.thresh (DB threshold branch)" in printed


def test_extract_and_compose_are_each_others_inverse(tmp_path, student, capsys):
    write_pdparams(tmp_path / "a.pdparams", student)
    a, both, again = (str(tmp_path / f"{name}.pdparams") for name in ("a", "both", "again"))
    assert main(["weights", "compose", "--student", a, "--student2", a, "-o", both]) == 0
    assert len(read_pdparams(both)) == 2 * len(student)
    assert main(["weights", "extract", both, "--model", "Student2", "-o", again]) == 0
    printed = capsys.readouterr().out
    assert f"{len(student)} of {2 * len(student)} tensors" in printed
    assert "model       ch_PP-OCRv2_det_student" in printed
    found = read_pdparams(again)
    assert list(found) == list(student)
    assert all(np.array_equal(found[name], student[name]) for name in student)
    assert main(["weights", "extract", both, "--model", "Teacher", "-o", again]) == 1
    assert "has no network 'Teacher'" in capsys.readouterr().err


def test_pull_lists_names_and_takes_installed_models(capsys):
    assert main(["weights", "pull"]) == 0
    assert "PP-OCRv5_mobile_rec_pretrained" in capsys.readouterr().out.splitlines()
    assert main(["weights", "pull", "PP-OCRv6_small_rec"]) == 0
    assert "is in the installed package rapidocr" in capsys.readouterr().out
