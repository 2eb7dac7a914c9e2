"""How a recognition backbone of PP-OCRv4 to v6 turns its last map into one row of columns."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def averaged_columns(x: Tensor, training: bool) -> Tensor:
    """(N, C, 3, W) -> (N, C, 1, W // 2); in training any height (PaddleOCR's multi-scale sampler), all of it averaged.

    PaddleOCR pools to 40 columns in training whatever the width; here there are always W // 2, which is the same at
    its training width of 320 pixels and keeps other widths as they are in inference.
    """
    if training and x.shape[2] != 3:
        return F.adaptive_avg_pool2d(x, (1, x.shape[3] // 2))
    return F.avg_pool2d(x, (3, 2))
