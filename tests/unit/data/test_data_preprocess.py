"""The Eval transforms as one preprocessing object."""

from __future__ import annotations

import pytest
from conftest_data import components

from ocrtune.codec.image import DetPreprocess, RecPreprocess
from ocrtune.core.errors import ConfigError
from ocrtune.data.preprocess import preprocess_of

LABELS = (("DecodeImage", {}), ("DetLabelEncode", {}))
REST = (("ToCHWImage", {}), ("KeepKeys", {"keep_keys": ["image"]}))


@pytest.mark.parametrize(
    ("resize", "expected"),
    [
        ({}, DetPreprocess(limit_side_len=736, limit_type="min")),
        ({"limit_side_len": 4000, "limit_type": "max"}, DetPreprocess(limit_side_len=4000, limit_type="max")),
        ({"limit_side_len": 500}, DetPreprocess(limit_side_len=500, limit_type="min")),
        ({"image_shape": [736, 1280]}, DetPreprocess(736, "min", image_shape=(736, 1280))),
        ({"image_shape": [48, 320], "keep_ratio": True}, DetPreprocess(736, "min", (48, 320), keep_ratio=True)),
        ({"resize_long": 736}, DetPreprocess(limit_side_len=736, limit_type="min", resize_long=736)),
    ],
)
def test_detection(resize: dict[str, object], expected: DetPreprocess) -> None:
    steps = components(*LABELS, ("DetResizeForTest", resize), ("NormalizeImage", {"scale": "1./255."}), *REST)
    assert preprocess_of(steps) == expected


def test_normalisation_is_taken_over() -> None:
    normalize = {"scale": 1.0, "mean": [1, 2, 3], "std": [4, 5, 6]}
    made = preprocess_of(components(*LABELS, ("DetResizeForTest", {}), ("NormalizeImage", normalize), *REST))
    assert isinstance(made, DetPreprocess)
    assert (made.scale, made.mean, made.std) == (1.0, (1, 2, 3), (4, 5, 6))


def test_recognition() -> None:
    steps = (("DecodeImage", {}), ("MultiLabelEncode", {}), ("RecResizeImg", {"image_shape": [3, 48, 320]}))
    assert preprocess_of(components(*steps)) == RecPreprocess((3, 48, 320))
    resize = {"image_shape": [3, 32, 320], "max_width": 640}
    assert preprocess_of(components(("RecResizeImg", resize))) == RecPreprocess((3, 32, 320), 640)
    fixed = ("SVTRRecResizeImg", {"image_shape": [3, 48, 320]})
    assert preprocess_of(components(fixed)) == RecPreprocess((3, 48, 320), max_width=320)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ((), r"expected DetResizeForTest \(detection\) or RecResizeImg \(recognition\)"),
        ((("DetResizeForTest", {}), ("RecResizeImg", {"image_shape": [3, 48, 320]})), "expected DetResizeForTest"),
        ((("DetResizeForTest", {}), ("ColorJitter", {})), "'ColorJitter' is not for evaluation. remove it from Eval"),
        (
            (("DecodeImage", {"ignore_orientation": True}), ("DetResizeForTest", {})),
            "turn images as their EXIF data says",
        ),
        ((("DecodeImage", {"img_mode": "RGB"}), ("DetResizeForTest", {})), "evaluation and prediction use BGR"),
    ],
)
def test_lists_that_are_not_for_evaluation(steps: tuple[tuple[str, dict[str, object]], ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        preprocess_of(components(*steps))
