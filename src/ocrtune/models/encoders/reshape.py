"""No encoder: columns become time steps (PaddleOCR ``ppocr/modeling/necks/rnn.py`` Im2Seq, 79f652f5)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from ocrtune.core.errors import ConfigError, Problem
from ocrtune.models.registry import encoders


def columns_to_steps(x: Tensor) -> Tensor:
    """(N, C, 1, W) -> (N, W, C). ConfigError for a map of several rows."""
    if x.shape[2] != 1:
        what = f"the recogniser's map has {x.shape[2]} rows, its head reads one"
        fix = "set the image height that this network is made for; SVTRNet without last_stage needs use_pool: true"
        raise ConfigError(Problem("Architecture.Backbone", what, fix))
    return x.squeeze(2).transpose(1, 2)


@dataclass(frozen=True)
class Options:
    """Nothing to choose."""


@encoders.register("reshape", Options)
class Reshape(nn.Module):
    """(N, C, 1, W) -> (N, W, C), no parameters."""

    def __init__(self, options: Options, in_channels: int):
        super().__init__()
        self.out_channels = in_channels

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, 1, W) -> (N, W, C)."""
        return columns_to_steps(x)
