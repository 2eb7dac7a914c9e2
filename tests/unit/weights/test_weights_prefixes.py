import numpy as np
import pytest

from ocrtune.core.errors import WeightsError
from ocrtune.weights.prefixes import compose, extract, networks, short_name

STUDENT, TEACHER = ({"backbone.w": np.full(2, v), "head.w": np.full(3, v)} for v in (1.0, 2.0))


def under(**parts):
    """Tensors of several networks, each under a prefix."""
    return {f"{prefix}.{name}": value for prefix, tensors in parts.items() for name, value in tensors.items()}


@pytest.mark.parametrize(
    ("first", "second"),
    [("Student", "Teacher"), ("student_model", "teacher_model"), ("module.Student", "module.Teacher")],
)
@pytest.mark.parametrize("model", ["Student", "student", "Student."])
def test_network_is_found_however_it_is_spelled(first, second, model):
    tensors = under(**{first: STUDENT, second: TEACHER})
    assert list(networks(tensors)) == [f"{first}.", f"{second}."]
    found, prefix = extract(tensors, model, "x")
    assert prefix == f"{first}."
    assert list(found) == list(STUDENT)
    assert found["head.w"] is STUDENT["head.w"]


def test_prefix_as_the_file_spells_it_and_student2():
    tensors = under(student_model=STUDENT, student2_model=TEACHER)
    assert extract(tensors, "student2_model.", "x")[0]["head.w"] is TEACHER["head.w"]
    assert extract(tensors, "Student2", "x")[1] == "student2_model."


def test_only_network_needs_no_name():
    assert extract(STUDENT, None, "x") == (STUDENT, "")
    assert extract(under(_layers=STUDENT), None, "x")[1] == "_layers."


def test_wrong_or_missing_name_lists_what_there_is():
    tensors = under(Student=STUDENT, Teacher=TEACHER)
    with pytest.raises(WeightsError, match=r"has no network 'Student2'; it has Student \('Student\.'\), Teacher"):
        extract(tensors, "Student2", "x")
    with pytest.raises(WeightsError, match=r"holds 2 networks: .*choose one with --model"):
        extract(tensors, None, "x")
    with pytest.raises(WeightsError, match="holds no PaddleOCR network"):
        extract({"linear_0.w_0": np.ones(1)}, "Student", "x")
    with pytest.raises(
        WeightsError, match=r"no network 'Student': it holds one network, without a prefix. leave --model"
    ):
        extract({"backbone.w": np.zeros(1, np.float32)}, "Student", "x.pdparams")


def test_composed_networks_come_apart_again():
    composed = compose({"Student": STUDENT, "Student2": STUDENT, "Teacher": TEACHER})
    assert list(networks(composed)) == ["Student.", "Student2.", "Teacher."]
    found, _ = extract(composed, "Teacher", "x")
    assert all(found[name] is TEACHER[name] for name in TEACHER)


def test_short_names():
    names = {prefix: short_name(prefix) for prefix in ("", "module.", "Student2.", "_layers.teacher_model.")}
    assert names == {"": "", "module.": "", "Student2.": "Student2", "_layers.teacher_model.": "Teacher"}
