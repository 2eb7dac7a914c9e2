"""ResNet_vd of detection and ResNet of recognition: sizes, strides, the pooled shortcut, folding, what is refused."""

from __future__ import annotations

import pytest
import torch
from models_alive import alive, backbone, outputs, parameters
from torch import nn

from ocrtune.core.errors import ConfigError
from ocrtune.core.options import Findings
from ocrtune.models.backbones.resnet_vd import ConvNorm
from ocrtune.models.fold import fold_
from ocrtune.models.registry import backbones

# layers -> weights that Paddle counts without the statistics of BatchNorm; the same in detection and recognition
PADDLES_COUNTS = {
    18: 11_199_968,
    34: 21_308_128,
    50: 23_527_264,
    101: 42_519_392,
    152: 58_163_040,
    200: 72_689_504,
}


@pytest.mark.parametrize("task", [None, "rec"], ids=["det", "rec"])
@pytest.mark.parametrize("layers", PADDLES_COUNTS)
def test_parameter_counts_are_paddleocrs(layers: int, task: str | None) -> None:
    with torch.device("meta"):
        found = parameters(backbone("ResNet" if task else "ResNet_vd", task, layers=layers))
    assert found == PADDLES_COUNTS[layers]


def test_names_are_paddleocrs() -> None:
    names = {name for name, _ in backbone("ResNet_vd", layers=18).named_parameters()}
    assert {"conv1_2._conv.weight", "bb_0_0.short._batch_norm.bias", "bb_3_1.conv1._conv.weight"} <= names
    assert not any(name.startswith(("bb_0_1.short", "bb_0_1.conv2")) for name in names)


@pytest.mark.parametrize(("layers", "widths"), [(18, (64, 128, 256, 512)), (50, (256, 512, 1024, 2048))])
def test_detection_has_four_maps_at_strides_4_to_32(layers: int, widths: tuple[int, ...]) -> None:
    network = backbone("ResNet_vd", layers=layers, in_channels=3, disable_se=True).eval()
    assert network.out_channels == widths
    shapes = [tuple(x.shape) for x in outputs(network, 1, 3, 64, 96)]
    assert shapes == [(1, width, 64 // stride, 96 // stride) for width, stride in zip(widths, (4, 8, 16, 32))]


@pytest.mark.parametrize(("layers", "width"), [(34, 512), (50, 2048)])
def test_recognition_keeps_a_quarter_of_the_width(layers: int, width: int) -> None:
    network = backbone("ResNet", "rec", layers=layers).eval()
    assert network.out_channels == width
    assert [tuple(x.shape) for x in outputs(network, 2, 3, 32, 72)] == [(2, width, 1, 18)]


def test_the_shortcut_of_a_strided_block_is_the_mean_of_its_windows() -> None:
    """A window that ends outside the map averages what is inside, as Paddle's ``exclusive`` pooling does."""
    layer = ConvNorm(1, 1, 1, pool=(2, 2), relu=False).eval()
    nn.init.ones_(layer._conv.weight)
    image = torch.tensor([[[[1.0, 3.0, 10.0], [5.0, 7.0, 20.0], [2.0, 4.0, 50.0]]]])
    found = layer(image)[0, 0] * (1 + layer._batch_norm.eps) ** 0.5
    torch.testing.assert_close(found, torch.tensor([[4.0, 15.0], [3.0, 50.0]]))


@pytest.mark.parametrize(
    ("name", "task", "layers", "shape"),
    [
        ("ResNet_vd", None, 18, (2, 3, 64, 96)),
        ("ResNet_vd", None, 50, (2, 3, 32, 64)),
        ("ResNet", "rec", 34, (2, 3, 32, 40)),
    ],
)
def test_folding_keeps_the_function_and_leaves_no_batchnorm(name, task, layers, shape) -> None:
    network = alive(backbone(name, task, layers=layers))
    before = outputs(network, *shape)
    fold_(network)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    for found, expected in zip(outputs(network, *shape), before):
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def test_deformable_stages_and_unknown_depths_are_refused() -> None:
    for options, said in [
        ({"layers": 50, "dcn_stage": [False, True, True, True]}, "deformable convolutions are not supported"),
        ({"layers": 49}, "expected one of 18, 34, 50"),
    ]:
        findings = Findings()
        assert backbones.parse("ResNet_vd", options, "Architecture.Backbone", findings) is None
        assert said in str(findings.problems[0])
    assert backbone("ResNet_vd", layers=18, dcn_stage=[False] * 4).out_channels == (64, 128, 256, 512)


def test_resnet_is_a_name_of_recognition() -> None:
    """PaddleOCR's detection has another ResNet, of no PP-OCR model; the error says which name is meant."""
    with pytest.raises(ConfigError, match="ResNet_vd"):
        backbones.get("ResNet", "Architecture.Backbone", task="det")
