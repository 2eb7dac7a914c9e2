"""From a run folder to files that other programs run, and the gate in between."""

import json

import numpy as np
import pytest
import rapidocr
import torch
import yaml
from small_runs import det_run, rec_run

from ocrtune.codec.db import DBPostProcess
from ocrtune.codec.image import DetPreprocess, RecPreprocess
from ocrtune.core.charset import Charset
from ocrtune.core.errors import ExportError, WeightsError
from ocrtune.core.records import DetectionResult
from ocrtune.data.labels import read_splits
from ocrtune.export.gate import GateTolerance, same_boxes, verify
from ocrtune.export.rapidocr import detection_params
from ocrtune.export.run import export_run, spread
from ocrtune.inference import PredictOptions, open_detector, open_recogniser, read_image
from ocrtune.inference.paddle_yaml import read_inference_yaml
from ocrtune.training.run_folder import load_run

OPTIONS = PredictOptions(threads=1)


@pytest.fixture(scope="module")
def rec(tmp_path_factory):
    return rec_run(tmp_path_factory.mktemp("rec"), Charset(["a", "b", "c"]))


@pytest.fixture(scope="module")
def det(tmp_path_factory):
    return det_run(tmp_path_factory.mktemp("det"))


@pytest.fixture(scope="module")
def exported_rec(rec, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out") / "rec"
    return folder, export_run(rec, folder)


@pytest.fixture(scope="module")
def exported_det(det, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out") / "det"
    return folder, export_run(det, folder)


def test_recognition_export_answers_as_the_model(exported_rec):
    folder, report = exported_rec
    assert sorted(path.name for path in folder.iterdir()) == [
        "export.json",
        "inference.onnx",
        "inference.yml",
        "rapidocr.yaml",
    ]
    assert (report.gate.images, report.gate.agreement, report.gate.differences) == (8, 1.0, ())
    assert report.gate.max_abs_diff < 1e-4
    assert report.gate.torch_metric == report.gate.onnx_metric
    assert any("no space" in note for note in report.notes)
    written = json.loads((folder / "export.json").read_text(encoding="utf-8"))
    assert written["gate"]["images"] == 8
    recogniser = open_recogniser(folder, OPTIONS)
    assert recogniser.preprocess == RecPreprocess((3, 32, 320))
    assert recogniser.codec.charset.characters == ("a", "b", "c", " ")
    assert recogniser.session.card.metrics == {"accuracy": 0.5}


def test_detection_export_answers_as_the_model(exported_det, det):
    folder, report = exported_det
    assert (report.gate.images, report.gate.agreement, report.gate.metric) == (3, 1.0, "hmean")
    assert report.gate.max_abs_diff < 1e-4
    detector = open_detector(folder, OPTIONS)
    assert detector.postprocess == load_run(det).config.postprocess.options
    found = detector(read_image(det.parent / "data" / "1.png"))
    assert len(found.scores) == len(found.polygons) >= 1


def test_inference_yml_says_the_same_as_the_model_card(exported_rec, exported_det):
    detector = open_detector(exported_det[0], OPTIONS)
    found = read_inference_yaml(exported_det[0] / "inference.yml")
    assert DetPreprocess.from_dict(found.preprocess) == detector.preprocess
    assert DBPostProcess.from_dict(found.postprocess) == detector.postprocess
    found = read_inference_yaml(exported_rec[0] / "inference.yml")
    assert found.preprocess == {"image_shape": [3, 32, 320]}
    assert found.characters == ("a", "b", "c")


def test_rapidocr_reads_the_exported_recogniser_as_we_do(exported_rec, rec):
    folder, _ = exported_rec
    params = yaml.safe_load((folder / "rapidocr.yaml").read_text(encoding="utf-8"))
    params |= {"Global.text_score": 0.0, "Global.log_level": "error"}
    engine = rapidocr.RapidOCR(params=params)
    crops = [read_image(path) for path in sorted((rec.parent / "data").glob("*.png"))]
    ours = open_recogniser(folder, OPTIONS)(crops)
    theirs = [engine(crop, use_det=False, use_cls=False, use_rec=True) for crop in crops]
    assert [result.text for result in ours] == [answer.txts[0] for answer in theirs]
    np.testing.assert_allclose([r.score for r in ours], [a.scores[0] for a in theirs], atol=2e-5)
    assert any(result.text for result in ours)  # random weights, but not silent ones


def test_rapidocr_gives_the_exported_detectors_map(exported_det, det):
    folder, _ = exported_det
    params = yaml.safe_load((folder / "rapidocr.yaml").read_text(encoding="utf-8"))
    engine = rapidocr.RapidOCR(params={**params, "Global.log_level": "error"})._load_det_model()
    detector = open_detector(folder, OPTIONS)
    for path in sorted((det.parent / "data").glob("*.png")):
        tensor, _ = detector.preprocess(read_image(path))
        np.testing.assert_allclose(engine.get_preprocess()(read_image(path))[0], tensor, atol=1e-6)
    settings = {name: getattr(engine.postprocess_op, name) for name in ("thresh", "box_thresh", "unclip_ratio")}
    assert settings.items() <= detector.postprocess.to_dict().items()
    assert (engine.postprocess_op.dilation_kernel is None) == (not detector.postprocess.use_dilation)


def _samples(run):
    config = load_run(run).config
    kind = config.architecture.model_type
    return list(read_splits(config.train.dataset, config.eval.dataset, kind, 0)[1].samples)


@pytest.mark.parametrize("task", ["det", "rec"])
def test_gate_refuses_a_file_of_other_weights(task, request):
    run, (folder, _) = request.getfixturevalue(task), request.getfixturevalue(f"exported_{task}")
    model = load_run(run).model
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.3)
    exported = open_detector(folder, OPTIONS) if task == "det" else open_recogniser(folder, OPTIONS)
    with pytest.raises(ExportError, match="probabilities differ by up to"):
        verify(model, exported, _samples(run))
    loose = GateTolerance(max_abs_diff=1.0, agreement=0.0, metric=1.0)
    assert verify(model, exported, _samples(run), loose).max_abs_diff > 1e-3


def test_gate_names_the_crops_that_read_otherwise(rec, exported_rec):
    model = load_run(rec).model
    with torch.no_grad():
        model.head.fc2.weight.zero_()
        model.head.fc2.bias.copy_(torch.tensor([-50.0, 50.0, 0.0, 0.0]))  # "a" at every step
    with pytest.raises(ExportError, match=r"0\.png: PyTorch reads 'a' \(1\.0000\), the file "):
        verify(model, open_recogniser(exported_rec[0], OPTIONS), _samples(rec))


def test_gate_needs_images(rec, exported_rec):
    with pytest.raises(ExportError, match="no validation image"):
        verify(load_run(rec).model, open_recogniser(exported_rec[0], OPTIONS), [])


def test_a_file_that_fails_the_gate_is_not_left_under_its_name(rec, tmp_path):
    output = tmp_path / "out"
    output.mkdir()
    (output / "inference.onnx").write_text("the export before")
    with pytest.raises(ExportError, match="differ"):
        export_run(rec, output, tolerance=GateTolerance(max_abs_diff=0.0))
    assert sorted(path.name for path in output.iterdir()) == ["failed.onnx", "inference.onnx"]
    assert (output / "inference.onnx").read_text() == "the export before"


def test_skipping_the_gate_is_said(rec, tmp_path):
    report = export_run(rec, tmp_path / "out", gate_images=0)
    assert report.gate is None
    assert any("gate was skipped" in note for note in report.notes)


def test_folder_that_is_no_run(tmp_path):
    with pytest.raises(WeightsError, match="not a run folder"):
        export_run(tmp_path, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_output_that_cannot_be_written(rec, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ExportError, match="name another --output"):
        export_run(rec, tmp_path / "file")


def test_unknown_checkpoint(rec, tmp_path):
    with pytest.raises(WeightsError, match=r"use best\.safetensors or latest\.safetensors"):
        export_run(rec, tmp_path / "out", checkpoint="model.pt")


def _boxes(*corners):
    quads = tuple(np.array([(x, 0), (x + 9, 0), (x + 9, 5), (x, 5)], np.float32) for x in corners)
    return DetectionResult(quads, np.ones(len(quads), np.float32))


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ((), (), True),
        ((0, 50), (50, 0), True),
        ((0, 50), (51, 0), True),
        ((0, 50), (52, 0), False),
        ((0,), (0, 50), False),
        ((0, 0), (0, 50), False),
    ],
)
def test_same_boxes(first, second, same):
    assert same_boxes(_boxes(*first), _boxes(*second)) == same


@pytest.mark.parametrize(("count", "expected"), [(0, []), (2, [0, 5]), (3, [0, 3, 6]), (10, list(range(10)))])
def test_spread(count, expected):
    assert spread(range(10), count) == expected


def test_what_rapidocr_cannot_do_is_said(tmp_path):
    _, notes = detection_params(tmp_path, DetPreprocess(resize_long=960), DBPostProcess(box_type="poly"))
    assert len(notes) == 2


def test_scale_goes_into_rapidocrs_mean_and_std(tmp_path):
    pre = DetPreprocess(mean=(100.0, 110.0, 120.0), std=(50.0, 51.0, 52.0), scale=1.0)
    params, _ = detection_params(tmp_path, pre, DBPostProcess())
    level = 77.0
    for mean, std, own_mean, own_std in zip(params["Det.mean"], params["Det.std"], pre.mean, pre.std):
        assert (level / 255 - mean) / std == pytest.approx((level - own_mean) / own_std)
