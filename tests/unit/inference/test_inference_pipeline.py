"""Detector, recogniser, pipeline and predict on hand-made networks whose answers are known."""

import json

import cv2
import numpy as np
import pytest
import tiny_onnx

from ocrtune.codec.crop import rotate180
from ocrtune.codec.ctc import CTCCodec
from ocrtune.codec.db import DBPostProcess
from ocrtune.codec.image import DetPreprocess, RecPreprocess
from ocrtune.core.charset import Charset
from ocrtune.core.errors import ConfigError, DataError, ExportError, WeightsError
from ocrtune.core.records import ModelCard
from ocrtune.inference import (
    Detector,
    Pipeline,
    PredictOptions,
    Recogniser,
    Session,
    card_to_metadata,
    open_detector,
    open_recogniser,
    predict,
)

PLAIN = DetPreprocess(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
POST = DBPostProcess(unclip_ratio=0.01)  # keeps the bright area's own outline
OPTIONS = PredictOptions(threads=1)


def page(*bright, size=(160, 320)):
    image = np.zeros((*size, 3), np.uint8)
    for x, y, width, height in bright:
        image[y : y + height, x : x + width] = 255
    return image


@pytest.fixture
def det(tmp_path):
    card = ModelCard("det", "tiny_det", PLAIN.to_dict(), POST.to_dict())
    return tiny_onnx.detector(tmp_path / "det.onnx", card_to_metadata(card))


@pytest.fixture
def rec(tmp_path):
    card = ModelCard("rec", "tiny_rec", RecPreprocess((3, 48, 64)).to_dict(), {})
    return tiny_onnx.recogniser(tmp_path / "rec.onnx", 4, card_to_metadata(card, ["a", "b", " "]))


@pytest.mark.parametrize("size", [(160, 320), (1500, 2500), (20, 30), (33, 700)])
def test_boxes_are_in_the_pixels_of_the_page_whatever_its_size(det, size):
    height, width = size
    x, y, w, h = (round(v) for v in (width * 0.2, height * 0.25, width * 0.5, height * 0.5))
    found = open_detector(det, OPTIONS)(page((x, y, w, h), size=size))
    assert len(found.polygons) == 1
    expected = np.array([(x, y), (x + w, y), (x + w, y + h), (x, y + h)])
    slack = 2 + max(height, width) / 960 * 2  # two pixels of the map
    assert np.abs(found.polygons[0] - expected).max() <= slack
    assert found.scores[0] > 0.9


def test_a_blank_page_has_no_boxes(det):
    assert open_detector(det, OPTIONS)(page()).polygons == ()


def test_a_page_beyond_the_memory_limit_is_refused(det):
    detector = Detector(Session(det, threads=1), DetPreprocess(limit_side_len=5000, limit_type="min"), POST)
    with pytest.raises(DataError, match=r"4992 x 4992.*det_limit_type=max"):
        detector(page(size=(40, 40)))


def grey(level, width):
    return np.full((48, width, 3), round((level + 1) * 127.5), np.uint8)


def test_texts_keep_their_order_and_do_not_depend_on_the_batch(rec):
    crops = [grey(level, width) for level, width in [(1 / 3, 64), (2 / 3, 200), (1 / 3, 64), (1.0, 90), (2 / 3, 64)]]
    together = open_recogniser(rec, OPTIONS)(crops)
    alone = [open_recogniser(rec, PredictOptions(threads=1, max_batch_size=1))([crop])[0] for crop in crops]
    assert [result.text for result in together] == ["a", "b", "a", " ", "b"]
    assert together == alone


class Upright:
    """A session that is sure of "b" where the crop begins bright, and half sure of "a" elsewhere."""

    num_classes, input_height = 3, 48

    def require(self, task):
        return self

    def run(self, tensor):
        bright = tensor[:, 0, 0, 0] > 0
        return np.stack([[[0.0, 0.0, 0.9]] if b else [[0.3, 0.5, 0.2]] for b in bright]).astype(np.float32)


def test_both_ways_keeps_the_surer_text():
    right = np.zeros((48, 64, 3), np.uint8)
    right[:, :20] = 255
    crops = [right, rotate180(right), np.zeros_like(right)]
    parts = Upright(), RecPreprocess((3, 48, 64)), CTCCodec(Charset(["a", "b"]))
    assert [result.text for result in Recogniser(*parts)(crops)] == ["b", "a", "a"]
    assert [result.text for result in Recogniser(*parts, both_ways=True)(crops)] == ["b", "b", "a"]


def test_no_crops_no_texts(rec):
    assert open_recogniser(rec, OPTIONS)([]) == []


def test_dictionary_of_another_size(rec):
    with pytest.raises(WeightsError, match="4 classes, its dictionary gives 3"):
        Recogniser(Session(rec, threads=1), RecPreprocess((3, 48, 64)), CTCCodec(Charset(["a", "b"])))


def test_height_the_model_does_not_take(rec):
    with pytest.raises(WeightsError, match="48 pixels high, image_shape says 32"):
        open_recogniser(rec, PredictOptions(threads=1, rec_image_shape=(3, 32, 320)))


def test_models_in_each_others_place(det, rec):
    with pytest.raises(WeightsError, match="this is a text recognition model"):
        open_detector(rec, OPTIONS)
    with pytest.raises(WeightsError, match="this is a text detection model"):
        open_recogniser(det, OPTIONS)


def test_page_texts_come_in_reading_order_and_weak_ones_are_dropped(det, rec):
    image = page((170, 20, 96, 32), (20, 24, 96, 32), (40, 100, 200, 40))
    image[100:140, 40:240] = round((1 / 3 + 1) * 127.5)  # "a"; the others are white: a space
    detector = Detector(Session(det, threads=1), PLAIN, POST)
    recogniser = open_recogniser(rec, OPTIONS)
    items = Pipeline(detector, recogniser, drop_score=0.0)(image)
    assert [item.text for item in items] == [" ", " ", "a"]
    assert items[0].polygon[0][0] < items[1].polygon[0][0]
    assert Pipeline(detector, recogniser, drop_score=1.01)(image) == []


def test_tall_crops_are_turned_only_when_asked(det, rec):
    seen = []

    class Recorder(Recogniser):
        def __call__(self, crops):
            seen.extend(crop.shape[:2] for crop in crops)
            return super().__call__(crops)

    recogniser = open_recogniser(rec, OPTIONS)
    recorder = Recorder(recogniser.session, recogniser.preprocess, recogniser.codec)
    for turn in (True, False):
        Pipeline(open_detector(det, OPTIONS), recorder, 0.0, turn)(page((50, 20, 30, 100)))
    (turned_height, turned_width), (height, width) = seen
    assert turned_height < turned_width
    assert height > width


def test_options_go_on_top_of_the_model_card(det):
    detector = open_detector(
        det, PredictOptions(det_db_thresh=0.2, use_dilation=True, det_limit_side_len=640, threads=1)
    )
    assert detector.postprocess == DBPostProcess(unclip_ratio=0.01, thresh=0.2, use_dilation=True)
    assert detector.preprocess == DetPreprocess(640, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


def test_options_that_make_no_sense(det):
    with pytest.raises(ConfigError, match="unclip_ratio must be positive"):
        open_detector(det, PredictOptions(det_db_unclip_ratio=-1.0, threads=1))


def test_options_out_of_range_are_told_together():
    with pytest.raises(ConfigError) as caught:
        PredictOptions(det_db_thresh=30.0, max_batch_size=0, threads=0)
    assert [problem.where for problem in caught.value.problems] == ["--det_db_thresh", "--max_batch_size", "--threads"]


def test_folder_with_one_model_and_with_none(det, tmp_path):
    (tmp_path / "exported").mkdir()
    det.rename(tmp_path / "exported" / "inference.onnx")
    assert open_detector(tmp_path / "exported", OPTIONS).postprocess == POST
    with pytest.raises(WeightsError, match="no such model file"):
        open_detector(tmp_path / "nowhere", OPTIONS)
    (tmp_path / "empty").mkdir()
    with pytest.raises(WeightsError, match=r"holds no \.onnx file"):
        open_detector(tmp_path / "empty", OPTIONS)


def test_plain_onnx_takes_settings_from_inference_yml_beside_it(tmp_path):
    tiny_onnx.detector(tmp_path / "inference.onnx")
    (tmp_path / "inference.yml").write_text(
        """
PreProcess:
  transform_ops:
  - DecodeImage: {img_mode: BGR}
  - DetResizeForTest: {resize_long: 960}
  - NormalizeImage: {mean: [0.1, 0.2, 0.3], std: [1, 1, 1], scale: 1./255., order: hwc}
PostProcess: {name: DBPostProcess, thresh: 0.25, box_thresh: 0.5, max_candidates: 500, unclip_ratio: 2.0}
"""
    )
    detector = open_detector(tmp_path, OPTIONS)
    assert detector.preprocess == DetPreprocess(resize_long=960, mean=(0.1, 0.2, 0.3), std=(1.0, 1.0, 1.0))
    assert detector.postprocess == DBPostProcess(0.25, 0.5, 500, 2.0)


def test_broken_inference_yml(tmp_path):
    tiny_onnx.detector(tmp_path / "inference.onnx")
    (tmp_path / "inference.yml").write_text("PreProcess: 3\n")
    with pytest.raises(WeightsError, match=r"not a Paddle inference\.yml"):
        open_detector(tmp_path, OPTIONS)


@pytest.mark.parametrize(("classes", "expected"), [(3, "ab"), (4, "ab ")])
def test_plain_onnx_with_a_dictionary_file(tmp_path, classes, expected):
    path = tiny_onnx.recogniser(tmp_path / "plain.onnx", classes)
    dictionary = tmp_path / "dict.txt"
    dictionary.write_text("a\nb\n")
    recogniser = open_recogniser(path, PredictOptions(threads=1, rec_char_dict_path=dictionary))
    assert "".join(recogniser.codec.charset.characters) == expected
    assert recogniser.preprocess.image_shape == (3, 48, 320)


def test_plain_onnx_without_any_dictionary(tmp_path):
    with pytest.raises(WeightsError, match="--rec_char_dict_path"):
        open_recogniser(tiny_onnx.recogniser(tmp_path / "plain.onnx", 4), OPTIONS)


def test_predict_writes_one_line_per_image_and_survives_a_bad_one(det, rec, tmp_path):
    photos = tmp_path / "photos"
    (photos / "sub").mkdir(parents=True)
    cv2.imwrite(str(photos / "b.png"), page((20, 20, 200, 60)))
    cv2.imwrite(str(photos / "sub" / "c.bmp"), page())
    (photos / "a.jpg").write_bytes(b"no image")
    summary = predict(photos, tmp_path / "out", det, rec, PredictOptions(threads=1, drop_score=0.0))
    lines = [json.loads(line) for line in summary.predictions.read_text(encoding="utf-8").splitlines()]
    assert [line["image"] for line in lines] == ["a.jpg", "b.png", "sub/c.bmp"]
    assert "not an image" in lines[0]["error"]
    [item] = lines[1]["items"]
    assert (lines[1]["width"], lines[1]["height"], item["transcription"]) == (320, 160, " ")
    assert np.abs(np.array(item["points"]) - [(20, 20), (220, 20), (220, 80), (20, 80)]).max() <= 3
    assert lines[2]["items"] == []
    assert (summary.images, summary.lines) == (3, 1)
    assert [problem.where for problem in summary.problems] == [str(photos / "a.jpg")]
    pictures = sorted(str(p.relative_to(summary.pictures)) for p in summary.pictures.rglob("*.*"))
    assert pictures == ["b.png", "sub/c.bmp.jpg"]
    assert cv2.imread(str(summary.pictures / "b.png")).shape[1] >= 480


def test_predict_into_a_place_that_cannot_be_written(det, rec, tmp_path):
    photo = tmp_path / "a.png"
    cv2.imwrite(str(photo), page())
    (tmp_path / "out").write_text("a file")
    with pytest.raises(ExportError, match=r"cannot be written.*--output"):
        predict(photo, tmp_path / "out", det, rec, OPTIONS)


def test_predict_without_pictures(det, rec, tmp_path):
    photo = tmp_path / "a.png"
    cv2.imwrite(str(photo), page())
    summary = predict(photo, tmp_path / "out", det, rec, PredictOptions(threads=1, pictures=False))
    assert summary.pictures is None
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["predictions.jsonl"]
