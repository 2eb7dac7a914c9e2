import collections
import os
import pickle

import numpy as np
import pytest

from ocrtune.core.errors import WeightsError
from ocrtune.weights.pdparams import read_pdparams, write_pdparams

TENSORS = {
    "backbone.conv.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2),
    "backbone.bn._mean": np.array([0.5, -1.0], np.float32),
    "head.fc.weight": np.asfortranarray(np.arange(6, dtype=np.float64).reshape(2, 3)),
}


class Shell:
    """Unpickling it runs a command, as a malicious file would."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_reads_every_protocol_of_paddle(tmp_path, protocol):
    content = collections.OrderedDict(TENSORS)
    content["StructuredToParameterName@@"] = {name: f"conv2d_{i}.w_0" for i, name in enumerate(TENSORS)}
    path = tmp_path / "x.pdparams"
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    found = read_pdparams(path)
    assert list(found) == list(TENSORS)
    for name, value in TENSORS.items():
        np.testing.assert_array_equal(found[name], value)


def test_old_numpy_module_names_are_read(tmp_path):
    data = pickle.dumps(dict(TENSORS), protocol=2)
    path = tmp_path / "x.pdparams"
    path.write_bytes(data.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n"))
    np.testing.assert_array_equal(read_pdparams(path)["head.fc.weight"], TENSORS["head.fc.weight"])


def test_round_trip(tmp_path):
    write_pdparams(tmp_path / "x.pdparams", TENSORS)
    found = read_pdparams(tmp_path / "x.pdparams")
    assert {name: value.tolist() for name, value in found.items()} == {k: v.tolist() for k, v in TENSORS.items()}
    assert [p.name for p in tmp_path.iterdir()] == ["x.pdparams"]


def test_tensor_saved_with_its_internal_name(tmp_path):
    path = tmp_path / "x.pdparams"
    path.write_bytes(pickle.dumps({"w": ("linear_0.w_0", np.ones(3, np.float32))}, protocol=4))
    assert read_pdparams(path)["w"].tolist() == [1, 1, 1]


def test_bfloat16_is_widened(tmp_path):
    values = np.array([1.0, -2.5, 0.15625], np.float32)
    upper = (values.view(np.uint32) >> 16).astype(np.uint16)
    path = tmp_path / "x.pdparams"
    path.write_bytes(pickle.dumps({"w": upper}, protocol=4))
    np.testing.assert_array_equal(read_pdparams(path)["w"], values)


@pytest.mark.parametrize("protocol", [2, 4])
def test_malicious_pickle_is_refused_and_not_executed(tmp_path, protocol):
    proof = tmp_path / "executed"
    path = tmp_path / "x.pdparams"
    path.write_bytes(pickle.dumps({**TENSORS, "w": Shell(f"touch {proof}")}, protocol=protocol))
    with pytest.raises(WeightsError, match=r"x\.pdparams: refused: the file asks for (posix|nt)\.system"):
        read_pdparams(path)
    assert not proof.exists()
    pickle.loads(path.read_bytes())  # the file is a working attack: plain pickle runs it
    assert proof.exists()


@pytest.mark.parametrize(
    "evil",
    [
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"cbuiltins\ngetattr\n.",
        b"cnumpy\nfromfile\n(S'/etc/passwd'\ntR.",
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\ndtype\n(I0\ntS'b'\ntR.",
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I999999999999\ntS'b'\ntR.",
        b"Pid\n.",
    ],
)
def test_other_globals_are_refused(tmp_path, evil):
    path = tmp_path / "x.pdparams"
    path.write_bytes(evil)
    with pytest.raises(WeightsError, match="refused") as caught:
        read_pdparams(path)
    assert len(caught.value.problems) == 1


def test_truncation_anywhere_is_one_clear_error(tmp_path):
    whole = pickle.dumps(TENSORS, protocol=4)
    path = tmp_path / "x.pdparams"
    for size in (0, 1, 2, 11, 40, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(WeightsError, match=rf"not a complete \.pdparams file .* after {size} bytes") as caught:
            read_pdparams(path)
        assert len(caught.value.problems) == 1


def test_bytes_that_are_no_pickle(tmp_path):
    path = tmp_path / "x.pdparams"
    path.write_bytes(b"<html>404 not found</html>")
    with pytest.raises(WeightsError, match="not a complete"):
        read_pdparams(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "holds a list"),
        ({}, "holds no parameter at all"),
        ({"a": {"moment": 1}, "b": np.ones(2)}, "1 entries are no arrays"),
        ({"w": np.array([{}], object)}, "expected an array"),
        ({"w": np.ones(2), "UnpackBigParamInfor@@": {}}, "protocol=4"),
    ],
)
def test_other_content_is_explained(tmp_path, content, message):
    path = tmp_path / "x.pdparams"
    path.write_bytes(pickle.dumps(content, protocol=4))
    with pytest.raises(WeightsError, match=message):
        read_pdparams(path)


def test_missing_file_and_unwritable_folder(tmp_path):
    with pytest.raises(WeightsError, match="cannot read the weights"):
        read_pdparams(tmp_path / "none.pdparams")
    with pytest.raises(WeightsError, match="cannot write the weights"):
        write_pdparams(tmp_path / "none" / "x.pdparams", TENSORS)
