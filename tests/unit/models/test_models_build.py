"""Whole networks: parameter counts, outputs, where gradients go, what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import onnx
import pytest
import rapidocr
import torch
from models_architectures import (
    HEIGHTS,
    NAMED,
    V2_DET,
    V2_REC,
    V6_DET,
    V6_REC,
    Part,
    architecture,
    build,
    charset,
    multi_head,
)

from ocrtune.core.errors import ConfigError, TrainingError
from ocrtune.core.options import Findings
from ocrtune.models.build import build_model
from ocrtune.models.decay import own_l2
from ocrtune.models.fold import fold_
from ocrtune.models.registry import backbones

V6_CLASSES = 18710
LABELS = {"nrtr": torch.tensor([[2, 5, 6, 3, 0, 0], [2, 7, 3, 0, 0, 0]]), "length": torch.tensor([2, 1])}


def parameters(model: torch.nn.Module, inference: bool = False) -> int:
    """Number of parameters; ``inference``: without the branches that only training uses."""
    training_only = ("head.thresh", "head.aux_", "head.before_gtc", "head.gtc_head")
    return sum(p.numel() for n, p in model.named_parameters() if not (inference and n.startswith(training_only)))


def test_parameter_counts_are_paddleocrs() -> None:
    assert parameters(build_model(V2_REC, charset(6624))) == 2_066_433
    assert parameters(build_model(V2_DET, None)) == 583_234


@pytest.mark.parametrize(("chosen", "kind"), [(V6_DET, "det"), (V6_REC, "rec")])
def test_folded_v6_has_as_many_parameters_as_the_released_file(chosen, kind) -> None:
    released = onnx.load(Path(rapidocr.__file__).parent / "models" / f"PP-OCRv6_{kind}_small.onnx")
    model = fold_(build_model(chosen, charset(V6_CLASSES - 1)), "release")
    statistics = sum(
        b.numel() for n, b in model.named_buffers() if n.startswith("head.ctc_encoder") and "running" in n
    )  # the neck's BatchNorms are in the file
    arrays = {t.name: t for t in released.graph.initializer}
    for node in released.graph.node:
        if node.op_type == "Constant":
            arrays[node.output[0]] = node.attribute[0].t
    in_file = sum(onnx.numpy_helper.to_array(t).size for t in arrays.values() if t.data_type == onnx.TensorProto.FLOAT)
    # scalars beside the weights: constants of GELU, LayerNorm, resizing
    assert 0 <= in_file - parameters(model, inference=True) - statistics < 200


@pytest.mark.parametrize("name", NAMED)
def test_outputs(name: str) -> None:
    model = build(name)
    image = torch.randn(2, 3, HEIGHTS[name], 96)
    trained = model.train()(image, LABELS)
    with torch.no_grad():
        evaluated = model.eval()(image)
    if NAMED[name].model_type == "det":
        maps = {"shrink", "threshold", "binary"} | ({"aux_p2", "aux_p3", "aux_p4"} if name == "v6_det" else set())
        assert set(trained) == maps
        for key, value in trained.items():
            assert value.shape == (2, 3 if key.startswith("aux") else 1, HEIGHTS[name], 96)
            assert value.min() >= 0
            assert value.max() <= 1
        assert set(evaluated) == {"shrink"}
        return
    steps = 96 // 4 if name == "v2_rec" else 96 // 8
    assert set(evaluated) == {"ctc"}
    assert evaluated["ctc"].shape == trained["ctc"].shape == (2, steps, 31)
    assert (evaluated["ctc"] < 0).any(), "logits, not probabilities"
    if name != "v2_rec":
        assert trained["nrtr"].shape == (2, 3, 31 + 4)  # cut to the longest label: start, 2 characters, (end)


@pytest.mark.parametrize("width", [320, 644])
def test_training_and_inference_see_the_same_columns(width: int) -> None:
    """PaddleOCR squeezes every training width to 40 columns; here a wide line keeps its columns."""
    backbone = build("v6_rec").backbone
    image = torch.randn(1, 3, 48, width)
    assert backbone.train()(image).shape == backbone.eval()(image).shape == (1, 384, 1, width // 8)


@pytest.mark.parametrize("height", [32, 48, 64])
def test_training_takes_the_heights_of_the_multi_scale_sampler(height: int) -> None:
    assert build("v6_rec").backbone.train()(torch.randn(1, 3, height, 320)).shape == (1, 384, 1, 40)


def gradient_of_backbone_through_ctc(neck_guide: bool) -> bool:
    head = multi_head({"nrtr_dim": 32}, {"name": "lightsvtr", "dims": 16, "use_guide": neck_guide})
    model = build_model(architecture("rec", {"name": "PPLCNetV4", "model_size": "tiny"}, None, head), charset(9))
    model.train()(torch.randn(2, 3, 48, 64), LABELS)["ctc"].square().sum().backward()
    found = [p.grad is not None for p in model.backbone.parameters()]
    assert all(found) or not any(found)
    return all(found)


def test_ctc_trains_the_backbone_unless_use_guide_is_asked_for() -> None:
    assert gradient_of_backbone_through_ctc(neck_guide=False)
    assert not gradient_of_backbone_through_ctc(neck_guide=True)


def test_the_guide_layer_of_tiny_sees_two_columns_to_each_side() -> None:
    layer = build("v6_tiny_rec").head.ctc_head.guide_layer.eval()
    columns = torch.zeros(1, 11, 160, requires_grad=True)
    layer(columns)[0, 5].sum().backward()
    assert columns.grad.abs().sum((0, 2)).nonzero().flatten().tolist() == [3, 4, 5, 6, 7]
    factors = own_l2(build("v6_tiny_rec"))
    assert not any("guide_layer" in name for name in factors)
    assert factors["head.ctc_head.fc2.weight"] == 0.0004


def test_nrtr_looks_at_no_later_token() -> None:
    decoder = build("v6_tiny_rec").head.gtc_head.eval()
    memory, tokens = torch.randn(1, 12, 64), torch.tensor([[2, 5, 6, 7, 3]])
    changed = tokens.clone()
    changed[0, 3] = 9
    with torch.no_grad():
        first, second = decoder(memory, {"nrtr": tokens}), decoder(memory, {"nrtr": changed})
    torch.testing.assert_close(first[:, :3], second[:, :3])
    assert not torch.allclose(first[:, 3], second[:, 3])


def test_missing_nrtr_labels_are_explained() -> None:
    with pytest.raises(TrainingError, match="MultiLabelEncode"):
        build("v6_tiny_rec").train()(torch.randn(1, 3, 48, 64), {"ctc": torch.zeros(1, 1)})


def test_blocks_of_v6_start_as_their_spatial_part() -> None:
    backbone = build("v6_rec").backbone
    norm = backbone.get_submodule("blocks3.0.channel_mixer.compress.bn")
    assert norm.weight.abs().max() == 0
    assert backbone.get_submodule("blocks4.0.channel_mixer.compress.bn").weight.min() == 1


def test_own_l2_names_real_parameters() -> None:
    model = build("v2_rec")
    factors = own_l2(model)
    assert set(factors) <= {name for name, _ in model.named_parameters()}
    assert {name: factor for name, factor in factors.items() if factor} == {
        f"head.{layer}.{kind}": 0.00002 for layer in ("fc1", "fc2") for kind in ("weight", "bias")
    }
    assert factors["backbone.conv1._batch_norm.weight"] == 0.0
    assert "backbone.conv1._conv.weight" not in factors


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (replace(V6_DET, backbone=V6_REC.backbone), "det: true"),
        (replace(V6_REC, backbone=V6_DET.backbone), "remove 'det: true'"),
        (replace(V2_DET, neck=None), "Architecture.Neck: missing"),
        (replace(V2_DET, neck=V2_REC.neck), "SequenceEncoder gives a sequence, DBHead reads a pyramid"),
        (replace(V2_DET, head=V2_REC.head), "CTCHead does not belong to model_type 'det'. one of DBHead, PFHeadLocal"),
        (replace(V2_REC, neck=V2_DET.neck), "DBFPN gives a pyramid, CTCHead reads a sequence"),
        (replace(V2_REC, neck=None), "CTCHead reads a sequence"),
        (replace(V2_REC, head=V2_DET.head), "DBHead does not belong to model_type 'rec'. one of CTCHead, MultiHead"),
        (replace(V6_REC, neck=V2_REC.neck), "has its own neck"),
    ],
)
def test_parts_that_do_not_fit_are_refused(chosen, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        build_model(chosen, charset(9))
    assert said in str(error.value)


def test_one_name_means_another_network_in_recognition() -> None:
    """PaddleOCR's MobileNetV3: four maps for detection, one row of columns for recognition."""
    raw = {"name": "MobileNetV3", "model_name": "small", "scale": 0.5, "small_stride": [1, 2, 2, 2]}
    options = backbones.parse("MobileNetV3", {k: v for k, v in raw.items() if k != "name"}, "", Findings(), task="rec")
    model = build_model(replace(V2_REC, backbone=Part("MobileNetV3", options)), charset(9))
    assert model.backbone(torch.randn(1, 3, 32, 64)).shape == (1, 288, 1, 16)
    findings = Findings()
    assert backbones.parse("MobileNetV3", {"small_stride": [1, 2, 2, 2]}, "", findings, task="det") is None
    assert "small_stride" in str(findings.problems[0])


def test_wrong_aux_channels_are_refused() -> None:
    head = {"name": "DBHead", "aux_in_channels": 64}
    wrong = architecture("det", {"name": "MobileNetV3"}, {"name": "DBFPN", "out_channels": 96}, head)
    with pytest.raises(ConfigError, match="the pyramid has 96 channels"):
        build_model(wrong, None)


def test_recognition_needs_a_dictionary() -> None:
    with pytest.raises(ConfigError, match="dictionary"):
        build_model(V2_REC, None)
