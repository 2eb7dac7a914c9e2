"""The parallel-fusion head of PP-OCRv4 and v5 server detection.

PaddleOCR ``ppocr/modeling/heads/det_db_head.py`` (PFHeadLocal, LocalModule) at 79f652f5.
"""

# calling an nn.Module is untyped
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from ocrtune.core.charset import Charset
from ocrtune.models.backbones.mobilenet_v3 import ConvNorm
from ocrtune.models.heads.db import MapHead, binarised, probabilities
from ocrtune.models.initialise import initialise_
from ocrtune.models.pyramid import Pyramid, enlarged
from ocrtune.models.registry import heads


@dataclass(frozen=True)
class Options:
    """k, kernel_list, fix_nan: as in :class:`ocrtune.models.heads.db.Options`.

    mode: width of the local module, a quarter (``large``) or an eighth (``small``) of the pyramid's.
    """

    k: int = 50
    mode: Literal["large", "small"] = "small"
    kernel_list: tuple[int, int, int] = (3, 2, 2)
    fix_nan: bool = False


class LocalModule(nn.Module):
    """Looks again at a probability map beside the features it came from, at full resolution."""

    def __init__(self, channels: int, width: int):
        super().__init__()
        self.last_3 = ConvNorm(channels + 1, width, 3, activation="relu")
        self.last_1 = nn.Conv2d(width, 1, 1)

    def forward(self, features: Tensor, probability: Tensor) -> Tensor:
        """features (N, C, H, W), probability (N, 1, H, W) -> (N, 1, H, W) in 0..1."""
        seen = torch.cat((probability.type_as(features), features), 1)
        return probabilities(self.last_1(self.last_3(seen)))


@heads.register("PFHeadLocal", Options)
class PFHeadLocal(nn.Module):
    """Pyramid -> ``shrink``; in training also ``threshold``, ``binary`` and ``cbn``.

    ``shrink`` is the refined map in training, and the mean of the coarse and the refined map otherwise. The coarse
    map is trained through ``binary``, which the loss of this head reads twice: PaddleOCR passes it under the
    name ``cbn_maps`` too. Its published weights were trained so, so it is kept.
    """

    reads = "pyramid"

    def __init__(self, options: Options, in_channels: int, charset: Charset | None):
        super().__init__()
        self.k = options.k
        self.binarize = MapHead(in_channels, options.kernel_list, options.fix_nan)
        self.thresh = MapHead(in_channels, options.kernel_list, options.fix_nan)
        self.cbn_layer = LocalModule(in_channels // 4, in_channels // (4 if options.mode == "large" else 8))
        initialise_(self.cbn_layer)

    def forward(self, pyramid: Pyramid, targets: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
        """Every map is (N, 1, H, W), probabilities."""
        features = self.binarize.features(pyramid.fused)
        coarse = self.binarize.probability(features)
        refined = self.cbn_layer(enlarged(features, 2), coarse)
        if not self.training:
            return {"shrink": 0.5 * (coarse + refined)}
        threshold = self.thresh(pyramid.fused)
        binary = binarised(coarse, threshold, self.k)
        return {"shrink": refined, "threshold": threshold, "binary": binary, "cbn": binary}
