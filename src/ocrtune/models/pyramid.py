"""What a detection neck hands to the head, and the top-down path every such neck shares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

COARSE_TO_FINE = (3, 2, 1, 0)  # indices of the levels in the order in which PaddleOCR's files execute them


class Pyramid(NamedTuple):
    """``fused`` (N, C, H/4, W/4); ``p2``, ``p3``, ``p4`` (N, C, ...) at strides 4, 8, 16 feed auxiliary heads."""

    fused: Tensor
    p2: Tensor
    p3: Tensor
    p4: Tensor


def enlarged(x: Tensor, factor: int) -> Tensor:
    """(N, C, H, W) -> (N, C, factor H, factor W), each value repeated."""
    return F.interpolate(x, scale_factor=float(factor), mode="nearest")


def top_down(laterals: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Add each level, enlarged, to the finer one: (in2, in3, in4, in5) -> (p2, p3, p4, p5)."""
    in2, in3, in4, in5 = laterals
    p4 = in4 + enlarged(in5, 2)
    p3 = in3 + enlarged(p4, 2)
    p2 = in2 + enlarged(p3, 2)
    return p2, p3, p4, in5


def aggregated(
    levels: Sequence[Tensor], smooth: nn.ModuleList, down: nn.ModuleList, last: nn.ModuleList
) -> list[Tensor]:
    """(p2, p3, p4, p5) smoothed, then each finer path added to the coarser one, then a last layer each.

    smooth, last: four layers each; down: three of stride 2, from p2 to p3, p3 to p4, p4 to p5.
    """
    paths = [smooth[i](levels[i]) for i in COARSE_TO_FINE][::-1]
    for i, step in enumerate(down):
        paths[i + 1] = paths[i + 1] + step(paths[i])
    return [layer(path) for layer, path in zip(last, paths)]


def stacked(levels: Sequence[Tensor]) -> Tensor:
    """(p2, p3, p4, p5) -> one map at stride 4, channels in the order p5, p4, p3, p2."""
    p2, p3, p4, p5 = levels
    return torch.cat((enlarged(p5, 8), enlarged(p4, 4), enlarged(p3, 2), p2), 1)
