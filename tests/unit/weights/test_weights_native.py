import numpy as np
import pytest

from ocrtune.core.charset import Charset
from ocrtune.core.errors import WeightsError
from ocrtune.weights.native import charset_from_metadata, charset_metadata, read_native, write_native

TENSORS = {"head.fc.weight": np.arange(6, dtype=np.float32).reshape(3, 2).T, "steps": np.array([7], np.int64)}


def test_round_trip_with_metadata(tmp_path):
    path = tmp_path / "best.safetensors"
    write_native(path, TENSORS, {"epoch": "3"})
    tensors, metadata = read_native(path)
    assert metadata == {"epoch": "3"}
    for name, value in TENSORS.items():
        np.testing.assert_array_equal(tensors[name], value)
        assert tensors[name].dtype == value.dtype
    assert [p.name for p in tmp_path.iterdir()] == ["best.safetensors"]


@pytest.mark.parametrize("space", [True, False])
def test_charset_travels_in_metadata(tmp_path, space):
    charset = Charset(["a", "é", "\u3000", '"'], use_space_char=space)
    write_native(tmp_path / "x.safetensors", TENSORS, charset_metadata(charset))
    found = charset_from_metadata(read_native(tmp_path / "x.safetensors")[1], "x")
    assert found == charset
    assert found.use_space_char is space


def test_no_charset_without_the_key():
    assert charset_from_metadata({"epoch": "3"}, "x") is None


def test_truncated_file_is_one_clear_error(tmp_path):
    path = tmp_path / "x.safetensors"
    write_native(path, TENSORS, {})
    whole = path.read_bytes()
    for size in (0, 5, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(WeightsError, match="not a complete safetensors file"):
            read_native(path)


def test_missing_file_and_unwritable_folder(tmp_path):
    with pytest.raises(WeightsError, match="no such file"):
        read_native(tmp_path / "none.safetensors")
    with pytest.raises(WeightsError, match="cannot write"):
        write_native(tmp_path / "none" / "x.safetensors", TENSORS, {})
