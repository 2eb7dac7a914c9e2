"""The detection necks: shapes, parameters, which pixels see which, folding."""

from __future__ import annotations

import pytest
import torch
from models_architectures import parse, shaken
from torch import Tensor, nn

from ocrtune.models.fold import fold_
from ocrtune.models.intra_cl import IntraCL
from ocrtune.models.registry import necks

CHANNELS = (8, 16, 24, 32)
NECKS = {
    "DBFPN": {},
    "RSEFPN": {"shortcut": False, "intracl": True},
    "LKPAN": {"intracl": True},
    "LKPAN lite": {"mode": "lite"},
    "RepLKPAN": {"intracl": True},
    "UniRepLKFPN": {"dilated_kernel_size": 5},
}


def neck(name: str) -> nn.Module:
    kind = name.split()[0]
    options = parse(necks, {"name": kind, "out_channels": 32, **NECKS[name]}).options
    return necks.get(kind).factory(options, CHANNELS)


def maps(side: int = 64, size: int = 1) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(size, channels, side // 4 >> level, side // 4 >> level, generator=generator, dtype=torch.float64)
        for level, channels in enumerate(CHANNELS)
    ]


@pytest.mark.parametrize("name", NECKS)
def test_a_pyramid_of_the_width_asked_for(name: str) -> None:
    built = neck(name).double()
    assert built.out_channels == 32
    pyramid = built(maps(size=2))
    assert pyramid.fused.shape == pyramid.p2.shape == (2, 32, 16, 16)
    assert pyramid.p3.shape == (2, 32, 8, 8)
    assert pyramid.p4.shape == (2, 32, 4, 4)


@pytest.mark.parametrize(
    ("options", "in_channels", "expected"),
    [  # counted on PaddleOCR's layers
        ({"name": "RSEFPN", "out_channels": 96}, (12, 18, 42, 360), 144_600),
        ({"name": "LKPAN", "out_channels": 256, "intracl": True}, (256, 512, 768, 1024), 7_882_752),
        ({"name": "LKPAN", "out_channels": 256, "mode": "lite"}, (256, 512, 768, 1024), 2_389_760),
        ({"name": "RepLKPAN", "out_channels": 256, "intracl": True}, (128, 256, 512, 896), 1_337_088),
    ],
)
def test_parameter_counts_are_paddleocrs(options: dict, in_channels: tuple[int, ...], expected: int) -> None:
    part = parse(necks, options)
    built = necks.get(part.name).factory(part.options, in_channels)
    assert sum(parameter.numel() for parameter in built.parameters()) == expected


@pytest.mark.parametrize("name", NECKS)
def test_folding_keeps_the_function(name: str) -> None:
    built = shaken(neck(name))
    levels = maps()
    with torch.no_grad():
        expected = built(levels)
        found = fold_(built)(levels)
    for one, other in zip(found, expected):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in built.modules())


@pytest.mark.parametrize("name", ["LKPAN", "RepLKPAN"])
def test_aggregation_carries_fine_detail_up_to_the_coarsest_level(name: str) -> None:
    """The first quarter of the fused channels is p5: only with a bottom-up path does the finest map reach it."""
    levels = maps()
    levels[0].requires_grad_()
    shaken(neck(name))(levels).fused[:, :8].sum().backward()
    assert levels[0].grad.abs().sum() > 0


def test_a_plain_pyramid_does_not() -> None:
    levels = maps()
    levels[0].requires_grad_()
    shaken(neck("RSEFPN"))(levels).fused[:, :8].sum().backward()
    assert levels[0].grad.abs().sum() == 0


def test_intra_cl_looks_six_pixels_far_in_all_directions() -> None:
    """7, 5 and 3 wide in a row: 3 + 2 + 1 pixels to each side."""
    block = shaken(IntraCL(8))
    image = torch.zeros(1, 8, 21, 21, dtype=torch.float64, requires_grad=True)
    block(image)[0, :, 10, 10].sum().backward()
    seen = image.grad.abs().sum((0, 1)) > 0
    assert seen[4:17, 4:17].all()
    assert seen.sum() == 13 * 13
