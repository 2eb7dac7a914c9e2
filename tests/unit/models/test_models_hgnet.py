"""PPHGNet_small and PPHGNetV2_B4: sizes, strides, what is never trained, folding, what is refused."""

from __future__ import annotations

import pytest
import torch
from models_alive import alive, backbone, outputs, parameters
from torch import nn
from torch.nn import functional as F

from ocrtune.core.options import Findings
from ocrtune.models.backbones.hgnet import ConvNorm
from ocrtune.models.columns import averaged_columns
from ocrtune.models.decay import own_l2
from ocrtune.models.fold import fold_
from ocrtune.models.registry import backbones

# (name, options): weights that Paddle counts without the statistics of BatchNorm
SMALL_DET, SMALL_REC = ("PPHGNet_small", {"det": True}), ("PPHGNet_small", {})
B4_DET, B4_REC = ("PPHGNetV2_B4", {"det": True}), ("PPHGNetV2_B4", {"text_rec": True})
PADDLES_COUNTS = [(SMALL_DET, 20_214_720), (SMALL_REC, 20_216_128), (B4_DET, 17_747_680), (B4_REC, 19_797_208)]


@pytest.mark.parametrize(("chosen", "count"), PADDLES_COUNTS)
def test_parameter_counts_are_paddleocrs(chosen, count: int) -> None:
    with torch.device("meta"):
        assert parameters(backbone(chosen[0], **chosen[1])) == count


@pytest.mark.parametrize(
    ("chosen", "widths"), [(SMALL_DET, (256, 512, 768, 1024)), (B4_DET, (128, 512, 1024, 2048))], ids=["small", "b4"]
)
def test_detection_has_four_maps_at_strides_4_to_32(chosen, widths: tuple[int, ...]) -> None:
    network = backbone(chosen[0], **chosen[1]).eval()
    assert network.out_channels == widths
    shapes = [tuple(x.shape) for x in outputs(network, 1, 3, 32, 96)]
    assert shapes == [(1, width, 32 // stride, 96 // stride) for width, stride in zip(widths, (4, 8, 16, 32))]


@pytest.mark.parametrize(("chosen", "width"), [(SMALL_REC, 1024), (B4_REC, 2048)], ids=["small", "b4"])
def test_recognition_keeps_an_eighth_of_the_width_in_both_modes(chosen, width: int) -> None:
    network = backbone(chosen[0], **chosen[1])
    assert network.out_channels == width
    for training, height in [(False, 48), (True, 48), (True, 32)]:
        assert [tuple(x.shape) for x in outputs(network.train(training), 2, 3, height, 72)] == [(2, width, 1, 9)]


def test_columns_at_the_training_width_are_paddleocrs_forty() -> None:
    features = torch.randn(1, 4, 3, 80)
    torch.testing.assert_close(averaged_columns(features, training=True), F.adaptive_avg_pool2d(features, (1, 40)))
    torch.testing.assert_close(averaged_columns(features, training=False), F.adaptive_avg_pool2d(features, (1, 40)))
    assert averaged_columns(torch.randn(1, 4, 4, 21), training=True).shape == (1, 4, 1, 10)


def test_an_even_kernel_pads_right_and_bottom() -> None:
    layer = ConvNorm(1, 1, 2, relu=False).eval()
    nn.init.ones_(layer.conv.weight)
    found = layer(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]))[0, 0] * (1 + layer.bn.eps) ** 0.5
    torch.testing.assert_close(found, torch.tensor([[10.0, 6.0], [7.0, 4.0]]))


def test_the_classifier_of_b4_is_carried_along_but_never_trained() -> None:
    """PaddleOCR's checkpoints hold it, so a state goes in and out whole; nothing reads it."""
    network = backbone("PPHGNetV2_B4", text_rec=True).eval()
    frozen = {name for name, parameter in network.named_parameters() if not parameter.requires_grad}
    assert frozen == {"last_conv.weight", "fc.weight", "fc.bias"}
    assert network.fc.weight.shape == (1000, 2048)
    before = outputs(network, 1, 3, 48, 32)
    nn.init.constant_(network.last_conv.weight, float("nan"))
    nn.init.constant_(network.fc.weight, float("nan"))
    torch.testing.assert_close(outputs(network, 1, 3, 48, 32), before, rtol=0, atol=0)
    detector = backbone("PPHGNetV2_B4", det=True)
    assert {name for name, p in detector.named_parameters() if not p.requires_grad} == {"last_conv.weight"}


@pytest.mark.parametrize("chosen", [SMALL_REC, B4_REC], ids=["small", "b4"])
def test_weight_decay_spares_exactly_the_batchnorms(chosen) -> None:
    with torch.device("meta"):
        network = backbone(chosen[0], **chosen[1])
    norms = {name for name, module in network.named_modules() if isinstance(module, nn.BatchNorm2d)}
    assert own_l2(network) == {f"{name}.{kind}": 0.0 for name in norms for kind in ("weight", "bias")}


@pytest.mark.parametrize("chosen", [SMALL_DET, SMALL_REC, B4_DET, B4_REC], ids=lambda c: f"{c[0]}-{'-'.join(c[1])}")
def test_folding_keeps_the_function_and_leaves_no_batchnorm(chosen) -> None:
    network = alive(backbone(chosen[0], **chosen[1]))
    shape = (1, 3, 32, 64) if "det" in chosen[1] else (1, 3, 48, 32)
    before = outputs(network, *shape)
    fold_(network)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    for found, expected in zip(outputs(network, *shape), before):
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("options", "said"), [({}, "neither"), ({"det": True, "text_rec": True}, "both")])
def test_b4_must_be_told_what_it_is_for(options: dict[str, bool], said: str) -> None:
    findings = Findings()
    assert backbones.parse("PPHGNetV2_B4", options, "Architecture.Backbone", findings) is None
    assert said in str(findings.problems[0])
