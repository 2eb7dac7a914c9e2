"""Every registered part builds from its YAML options, runs, sends gradients to each parameter, refuses unknown keys."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
import torch
from models_architectures import charset, multi_head, parse
from torch import Tensor, nn

from ocrtune.core.options import Findings
from ocrtune.models.pyramid import Pyramid
from ocrtune.models.registry import backbones, encoders, heads, necks

CHARSET = charset(9)
TOKENS = torch.tensor([[2, 5, 6, 3, 0], [2, 7, 3, 0, 0]])
LABELS = {"nrtr": TOKENS, "length": torch.tensor([2, 1])}
STRIDES = {1: 8, 2: 16, 4: 24, 8: 32}  # relative to the finest map: channels
MAPS = [torch.randn(2, channels, 16 // stride, 24 // stride) for stride, channels in STRIDES.items()]
PYRAMID = Pyramid(*(torch.randn(2, 32, 16 // stride, 24 // stride) for stride in (1, 1, 2, 4)))
COLUMNS = torch.randn(2, 16, 1, 10)
IMAGE = torch.randn(2, 3, 32, 64)

# name: (options, input, further arguments of the factory)
BACKBONES = {
    "MobileNetV1Enhance": ({}, IMAGE),
    "MobileNetV3": ({}, IMAGE),
    "SVTRNet": ({"img_size": [32, 64], "depth": [1, 1, 1], "mixer": ["Conv", "Local", "Global"]}, IMAGE),
    "rec/MobileNetV3": ({"small_stride": [1, 2, 2, 2]}, IMAGE),
    "PPHGNetV2_B4": ({"text_rec": True}, IMAGE),
    "PPHGNet_small": ({}, IMAGE),
    "PPLCNetV3": ({"scale": 0.35, "conv_kxk_num": 2, "det": True}, IMAGE),
    "PPLCNetV4": ({"model_size": "tiny"}, IMAGE),
    "ResNet_vd": ({"layers": 18}, IMAGE),
    "rec/ResNet": ({"layers": 18}, IMAGE),
}
NECKS = {
    "DBFPN": ({"out_channels": 32}, MAPS, (8, 16, 24, 32)),
    "LKPAN": ({"out_channels": 32, "intracl": True}, MAPS, (8, 16, 24, 32)),
    "RSEFPN": ({"out_channels": 32, "intracl": True}, MAPS, (8, 16, 24, 32)),
    "RepLKPAN": ({"out_channels": 32, "intracl": True}, MAPS, (8, 16, 24, 32)),
    "UniRepLKFPN": ({"out_channels": 32}, MAPS, (8, 16, 24, 32)),
    "SequenceEncoder": ({"encoder_type": "rnn"}, COLUMNS, 16),
}
ENCODERS = {"reshape": {}, "rnn": {}, "lightsvtr": {}, "svtr": {}}
HEADS = {
    "DBHead": ({"aux_in_channels": 32}, PYRAMID, 32),
    "PFHeadLocal": ({"mode": "large"}, PYRAMID, 32),
    "CTCHead": ({}, torch.randn(2, 10, 16), 16),
    "MultiHead": ({k: v for k, v in multi_head({"nrtr_dim": 32}).items() if k != "name"}, COLUMNS, 16),
}


def tensors(output: Any) -> Iterable[Tensor]:
    if isinstance(output, Tensor):
        yield output
    else:
        for item in output.values() if isinstance(output, dict) else output:
            yield from tensors(item)


def assert_trains(module: nn.Module, *inputs: Any) -> None:
    """A train-mode pass gives finite values, and each parameter that is to be trained gets a finite gradient."""
    outputs = list(tensors(module.train()(*inputs)))
    assert all(torch.isfinite(output).all() for output in outputs)
    sum((output * torch.randn_like(output)).sum() for output in outputs).backward()
    for name, parameter in module.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, f"{name} got no gradient"
        assert parameter.grad is None or torch.isfinite(parameter.grad).all(), name


def test_every_registered_name_is_tested() -> None:
    for registry, table in ((backbones, BACKBONES), (necks, NECKS), (encoders, ENCODERS), (heads, HEADS)):
        assert registry.names() == sorted(table)


@pytest.mark.parametrize("name", BACKBONES)
def test_backbone(name: str) -> None:
    options, image = BACKBONES[name]
    module = backbones.get(name).factory(parse(backbones, {"name": name, **options}).options)
    assert_trains(module, image)
    maps = module(image)
    widths = (module.out_channels,) if isinstance(module.out_channels, int) else module.out_channels
    assert tuple(x.shape[1] for x in ([maps] if isinstance(maps, Tensor) else maps)) == widths


@pytest.mark.parametrize("name", NECKS)
def test_neck(name: str) -> None:
    options, features, in_channels = NECKS[name]
    module = necks.get(name).factory(parse(necks, {"name": name, **options}).options, in_channels)
    assert_trains(module, features)


@pytest.mark.parametrize("name", ENCODERS)
def test_encoder(name: str) -> None:
    module = encoders.get(name).factory(parse(encoders, {"name": name, **ENCODERS[name]}).options, 16)
    assert module(COLUMNS).shape == (2, 10, module.out_channels)
    if name != "reshape":
        assert_trains(module, COLUMNS)


@pytest.mark.parametrize("name", HEADS)
def test_head(name: str) -> None:
    options, features, in_channels = HEADS[name]
    module = heads.get(name).factory(parse(heads, {"name": name, **options}).options, in_channels, CHARSET)
    assert_trains(module, features, LABELS)


@pytest.mark.parametrize(
    ("registry", "name", "options"),
    [
        *((backbones, name, options) for name, (options, _) in BACKBONES.items()),
        *((necks, name, options) for name, (options, _, _) in NECKS.items()),
        *((encoders, name, options) for name, options in ENCODERS.items()),
        *((heads, name, options) for name, (options, _, _) in HEADS.items()),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_unknown_option_is_refused(registry: Any, name: str, options: dict[str, Any]) -> None:
    findings = Findings()
    assert registry.parse(name, {**options, "witdh": 3}, "Architecture.X", findings) is None
    assert findings.problems


@pytest.mark.parametrize(
    ("registry", "name", "options", "said"),
    [
        (necks, "DBFPN", {"out_channels": 90}, "multiple of 4"),
        (necks, "UniRepLKFPN", {"out_channels": 40}, "multiple of 16"),
        (necks, "RSEFPN", {"out_channels": 40}, "multiple of 16"),
        (necks, "LKPAN", {"out_channels": 36}, "multiple of 8"),
        (necks, "LKPAN", {"out_channels": 32, "mode": "small"}, "expected one of large, lite"),
        (necks, "RepLKPAN", {"out_channels": 36}, "multiple of 8"),
        (backbones, "PPLCNetV3", {"lr_mult_list": [1, 1]}, "2 factors, expected 6"),
        (backbones, "PPLCNetV3", {"conv_kxk_num": 0}, "expected at least 1"),
        (necks, "SequenceEncoder", {}, "missing"),
        (necks, "SequenceEncoder", {"encoder_type": "rnnn"}, "no sequence encoder is called 'rnnn'"),
        (encoders, "lightsvtr", {"dims": 100, "num_heads": 8}, "multiple of num_heads"),
        (encoders, "lightsvtr", {"local_kernel": 6}, "even"),
        (backbones, "MobileNetV3", {"scale": 0.6}, "expected one of 0.35"),
        (heads, "MultiHead", {}, "head_list"),
        (heads, "MultiHead", {"head_list": []}, "CTCHead is missing"),
        (heads, "MultiHead", {"head_list": [{"SRNHead": {}}]}, "no branch is called 'SRNHead'"),
        (heads, "MultiHead", {"head_list": [{"NRTRHead": {}}, {"SARHead": {}}]}, "two guiding heads"),
        (encoders, "svtr", {"hidden_dims": 100, "num_heads": 8}, "multiple of num_heads"),
        (encoders, "svtr", {"kernel_size": [1, 2]}, "even side"),
        (heads, "MultiHead", {"head_list": [{"SARHead": {}}]}, "CTCHead is missing"),
        (heads, "MultiHead", {"head_list": [{"CTCHead": {"Neck": {"name": "rnn"}, "Heads": {}}}]}, "unknown key"),
        (heads, "MultiHead", {"head_list": [{"CTCHead": {"Head": {}}}]}, "missing"),
        (heads, "MultiHead", {"head_list": [{"CTCHead": {"Neck": {"name": "lightsvtr", "use_guide": True}}}]}, "train"),
        (
            heads,
            "MultiHead",
            {"head_list": [{"CTCHead": {"Neck": {"name": "rnn"}}}, {"NRTRHead": {"d": 1}}]},
            "unknown",
        ),
    ],
)
def test_wrong_option_is_explained(registry: Any, name: str, options: dict[str, Any], said: str) -> None:
    findings = Findings()
    assert registry.parse(name, options, "Architecture.X", findings) is None
    assert said in " ".join(map(str, findings.problems))
