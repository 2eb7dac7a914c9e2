"""The codec against the installed rapidocr package, which runs what we export."""

from pathlib import Path

import codec_inputs as inputs
import numpy as np
import pytest
from rapidocr.ch_ppocr_det.utils import DBPostProcess as RapidPostProcess
from rapidocr.ch_ppocr_rec.main import TextRecognizer
from rapidocr.ch_ppocr_rec.utils import CTCLabelDecode

from ocrtune.codec.ctc import CTCCodec
from ocrtune.codec.db import DBPostProcess
from ocrtune.codec.image import RecPreprocess, Scale
from ocrtune.core.charset import Charset

pytestmark = pytest.mark.parity
ARRAYS = np.load(Path(__file__).parent / "golden" / "codec.npz")
MAPS = sorted(key.split("|")[1] for key in ARRAYS.files if key.endswith("|map"))


@pytest.mark.parametrize("size", inputs.CROP_SIZES)
def test_recognition_tensor(size):
    crop = inputs.image(*size)
    reader = TextRecognizer.__new__(TextRecognizer)
    reader.rec_image_shape = [3, 48, 320]
    expected = reader.resize_norm_img(crop, max(320 / 48, size[1] / size[0]))
    found = RecPreprocess()(crop)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", MAPS)
def test_boxes(name):
    """Same rectangles; rapidocr starts some of them at another corner."""
    prob = ARRAYS[f"decode|{name}|map"].astype(np.float32) / np.float32(255)
    height, width = (int(side) for side in ARRAYS[f"decode|{name}|size"])
    post = {"thresh": 0.3, "box_thresh": 0.5, "unclip_ratio": 1.6}
    expected, scores = RapidPostProcess(**post)(prob[None, None], (height, width))
    found = DBPostProcess(**post)(prob, Scale(height, width))
    corners = [sorted(map(tuple, polygon.tolist())) for polygon in found.polygons]
    assert corners == [sorted(map(tuple, polygon.tolist())) for polygon in expected]
    np.testing.assert_allclose(found.scores, scores, rtol=0, atol=1e-6)


def test_texts():
    characters = ["a", "b", "c", "d", "é"]
    codec = CTCCodec(Charset(characters, use_space_char=True))
    rapid = CTCLabelDecode(character=list(characters))
    for seed in range(3):
        expected, _ = rapid(inputs.ctc_case(seed))
        found = codec.decode(inputs.ctc_case(seed))
        assert [result.text for result in found] == [text for text, _ in expected]
        # rapidocr rounds every step and the mean to five digits
        np.testing.assert_allclose([r.score for r in found], [score for _, score in expected], rtol=0, atol=1.1e-5)
