"""SVTRNet, the svtr neck, and the heads around them: shapes, sizes that are refused, parameter counts of PaddleOCR."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from models_architectures import Architecture, architecture, charset, multi_head, parse

from ocrtune.core.errors import ConfigError, TrainingError
from ocrtune.core.options import Findings
from ocrtune.models.backbones.svtrnet import SVTRNet, window_mask
from ocrtune.models.build import build_model
from ocrtune.models.fold import fold_
from ocrtune.models.registry import backbones

CONV_THEN_GLOBAL = {"img_size": [48, 320], "local_mixer": [[5, 5]] * 3, "patch_merging": "Conv", "prenorm": True}
TEACHER = {
    **CONV_THEN_GLOBAL,
    "out_char_num": 40,
    "out_channels": 192,
    "mixer": ["Conv"] * 6 + ["Global"] * 6,
    "last_stage": True,
}
LARGE = {
    **CONV_THEN_GLOBAL,
    "embed_dim": [192, 256, 512],
    "depth": [6, 6, 9],
    "num_heads": [6, 8, 16],
    "mixer": ["Conv"] * 9 + ["Global"] * 12,
    "out_char_num": 40,
    "out_channels": 512,
    "last_stage": False,
}
SMALL = {
    "img_size": [32, 64],
    "embed_dim": [16, 16, 32],
    "depth": [1, 1, 1],
    "num_heads": [2, 2, 2],
    "mixer": ["Local", "Conv", "Global"],
    "local_mixer": [[3, 5]] * 3,
    "out_char_num": 8,
}
V1_CLASSES = 6625  # of ppocr_keys_v1.txt with the space and blank


def rec(backbone: dict, neck: dict, guide: dict, **head: bool) -> Architecture:
    branches = [{"CTCHead": {"Neck": {"name": "svtr", "use_guide": True, **neck}, "Head": {"fc_decay": 1e-5}}}, guide]
    return architecture("rec", backbone, None, {"name": "MultiHead", "head_list": branches, **head})


V3_BACKBONE = {
    "name": "MobileNetV1Enhance",
    "scale": 0.5,
    "last_conv_stride": [1, 2],
    "last_pool_type": "avg",
    "last_pool_kernel_size": [2, 2],
}
V3 = rec(
    V3_BACKBONE, {"dims": 64, "depth": 2, "hidden_dims": 120}, {"SARHead": {"enc_dim": 512, "max_text_length": 25}}
)
SVTR_LARGE = rec(
    {"name": "SVTRNet", **LARGE},
    {"dims": 256, "depth": 2, "hidden_dims": 256, "kernel_size": [1, 3]},
    {"NRTRHead": {"nrtr_dim": 512, "max_text_length": 40}},
    use_pool=True,
    use_pos=True,
)


def parameters(model: torch.nn.Module, inference: bool = False) -> int:
    """Number of parameters; ``inference``: without the branches that only training uses."""
    training_only = ("head.before_gtc", "head.gtc_head", "head.sar_head")
    return sum(p.numel() for n, p in model.named_parameters() if not (inference and n.startswith(training_only)))


@pytest.mark.parametrize(
    ("chosen", "classes", "all_millions", "inference_millions"),
    [(V3, V1_CLASSES, 27.507, 2.640), (V3, 97, 13.707, 2.215), (SVTR_LARGE, V1_CLASSES, 64.742, 40.835)],
    ids=["v3", "en_v3", "svtr_large"],
)
def test_parameter_counts_are_paddleocrs(chosen, classes, all_millions, inference_millions) -> None:
    with torch.device("meta"):  # no values: counting needs none
        model = build_model(chosen, charset(classes - 1))
    assert round(parameters(model) / 1e6, 3) == all_millions
    assert round(parameters(model, inference=True) / 1e6, 3) == inference_millions


def test_v4_teacher_with_its_last_stage() -> None:
    head = multi_head({"nrtr_dim": 384}, {"name": "svtr", "dims": 120, "kernel_size": [1, 3]})
    chosen = architecture("rec", {"name": "SVTRNet", **TEACHER}, None, head)
    with torch.device("meta"):
        model = build_model(chosen, charset(V1_CLASSES - 1))
    added = 256 * 192  # the last convolution, which PaddleOCR's 20.110 million lack
    assert round((parameters(model) - added) / 1e6, 3) == 20.110


def small(**options: Any) -> SVTRNet:
    part = parse(backbones, {"name": "SVTRNet", **SMALL, **options})
    return backbones.get("SVTRNet").factory(part.options)


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({}, (2, 192, 1, 8)),
        ({"patch_merging": "Pool", "prenorm": False}, (2, 192, 1, 8)),
        ({"last_stage": False, "out_channels": 32}, (2, 32, 2, 16)),
        ({"patch_merging": None, "embed_dim": [16, 16, 16], "sub_num": 3, "out_char_num": 4}, (2, 192, 1, 4)),
    ],
)
def test_output_of_svtrnet(options: dict[str, Any], shape: tuple[int, ...]) -> None:
    assert small(**options)(torch.randn(2, 3, 32, 64)).shape == shape


@pytest.mark.parametrize("size", [(32, 128), (48, 64)])
def test_another_image_size_is_refused_in_training_and_resized_in_inference(size: tuple[int, int]) -> None:
    model, image = small(), torch.randn(1, 3, *size)
    with pytest.raises(TrainingError, match=r"32 x 64 pixels, got .*image_shape: \[3, 32, 64\]"):
        model(image)
    with torch.no_grad():
        squeezed = torch.nn.functional.interpolate(image, (32, 64), mode="bilinear", align_corners=False)
        torch.testing.assert_close(model.eval()(image), model(squeezed))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"mixer": ["Conv"]}, "mixer has 1 entries, depth asks for 3"),
        ({"embed_dim": [16, 16, 31]}, "multiple of num_heads"),
        ({"local_mixer": [[3, 4]] * 3}, "even side"),
        ({"img_size": [24, 64]}, "expected multiples of 16 x 4"),
        ({"patch_merging": None}, "every stage has the same embed_dim"),
        ({"last_stage": False}, "out_channels says 192; set one of them right, or last_stage: true"),
    ],
)
def test_wrong_svtrnet_is_explained(options: dict[str, Any], said: str) -> None:
    findings = Findings()
    assert backbones.parse("SVTRNet", {**SMALL, **options}, "Architecture.Backbone", findings) is None
    assert said in str(findings.problems[0])


def test_window_is_around_the_patch() -> None:
    seen = window_mask((4, 6), (3, 5))[2 * 6 + 1] == 0  # the patch in row 2, column 1
    expected = torch.zeros(4, 6, dtype=torch.bool)
    expected[1:4, 0:4] = True
    assert torch.equal(seen.reshape(4, 6), expected)


def test_last_dropout_scales_in_inference_alone() -> None:
    model = small(last_drop=0.5, drop_path_rate=0.0)
    for layer in model.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = 1.0
    image = torch.randn(4, 3, 32, 64)
    with torch.no_grad():
        trained, evaluated = model.train()(image), model.eval()(image)
    kept = trained[trained != 0]
    assert 0.3 < len(kept) / trained.numel() < 0.7
    ratio = evaluated[trained != 0] / kept
    torch.testing.assert_close(ratio.median(), torch.tensor(0.5), atol=0.02, rtol=0)


@pytest.mark.parametrize("chosen", ["svtrnet", "v3"])
def test_folding_keeps_the_eval_function(chosen: str) -> None:
    torch.manual_seed(0)
    backbone, size = ({"name": "SVTRNet", **SMALL}, (32, 64)) if chosen == "svtrnet" else (V3_BACKBONE, (48, 64))
    neck = {"name": "svtr", "dims": 16, "hidden_dims": 32}
    model = build_model(architecture("rec", backbone, None, multi_head(None, neck)), charset(9))
    model.train()(torch.randn(4, 3, *size))
    image = torch.randn(2, 3, *size)
    with torch.no_grad():
        before = model.eval()(image)["ctc"]
        after = fold_(model)(image)["ctc"]
    assert not any(isinstance(layer, torch.nn.BatchNorm2d) for layer in model.modules())
    torch.testing.assert_close(before, after, atol=1e-4, rtol=1e-4)


def test_rows_that_nobody_pools_are_explained() -> None:
    backbone = {"name": "SVTRNet", **SMALL, "last_stage": False, "out_channels": 32}
    model = build_model(architecture("rec", backbone, None, multi_head(None, {"name": "svtr", "dims": 16})), charset(9))
    with pytest.raises(ConfigError, match=r"has 2 rows, its head reads one.*use_pool: true"):
        model(torch.randn(2, 3, 32, 64))


def test_pooled_positions_are_learnt() -> None:
    head = {"name": "MultiHead", "use_pool": True, "use_pos": True}
    head["head_list"] = multi_head({"nrtr_dim": 32})["head_list"]
    backbone = {"name": "SVTRNet", **SMALL, "img_size": [48, 64], "last_stage": False, "out_channels": 32}
    model = build_model(architecture("rec", backbone, None, head), charset(9))
    labels = {"nrtr": torch.tensor([[2, 5, 3]]), "length": torch.tensor([1])}
    outputs = model(torch.randn(1, 3, 48, 64), labels)
    assert outputs["ctc"].shape == (1, 8, 10)  # 3 x 16 patches become 1 x 8 columns
    outputs["nrtr"].square().sum().backward()
    positions = model.get_parameter("head.before_gtc.2.dec_pos_embed")
    assert positions.shape == (1, 80, 32)
    assert (positions.grad[0].abs().amax(1) > 0).tolist() == [True] * 8 + [False] * 72
