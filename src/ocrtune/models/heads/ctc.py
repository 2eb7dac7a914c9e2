"""The CTC head (PaddleOCR ``ppocr/modeling/heads/rec_ctc_head.py``, 79f652f5).

The guiding layer of PP-OCRv6 tiny is from RapidOCR 3.10's PyTorch port of that head, which runs its weights.
"""

# calling an nn.Module is untyped
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from ocrtune.core.charset import Charset
from ocrtune.models.initialise import initialise_
from ocrtune.models.registry import heads


@dataclass(frozen=True)
class Options:
    """mid_channels: width of a linear layer before the classifier; None: classify directly.

    fc_decay: L2 factor of this head's own parameters; it replaces the optimizer's (see ``models.decay``).
    use_guide: a depthwise convolution over five columns and a pointwise one before the classifier (PP-OCRv6 tiny).
    return_feats: in training, also give what the classifier reads, for CenterLoss.
    """

    mid_channels: int | None = None
    fc_decay: float = 0.0004
    use_guide: bool = False
    return_feats: bool = False


class GuideLayer(nn.Sequential):
    """Each column looks at two neighbours on either side, then across the channels; (N, T, C) kept."""

    norm_pairs = (("0", "1"), ("3", "4"))

    def __init__(self, channels: int):
        super().__init__(
            nn.Conv1d(channels, channels, 5, padding=2, groups=channels, bias=False),
            nn.BatchNorm1d(channels),
            nn.Hardswish(),
            nn.Conv1d(channels, channels, 1, bias=False),
            nn.BatchNorm1d(channels),
            nn.Hardswish(),
        )
        initialise_(self)

    def forward(self, columns: Tensor) -> Tensor:
        """(N, T, C) -> (N, T, C)."""
        x = columns.transpose(1, 2)
        for layer in self:
            x = layer(x)
        return x.transpose(1, 2)


def _linear(in_features: int, out_features: int) -> nn.Linear:
    layer = nn.Linear(in_features, out_features)
    bound = in_features**-0.5
    nn.init.uniform_(layer.weight, -bound, bound)
    nn.init.uniform_(layer.bias, -bound, bound)
    return layer


@heads.register("CTCHead", Options)
class CTCHead(nn.Module):
    """(N, T, C) -> ``ctc`` (N, T, classes) logits; class 0 is blank. With ``return_feats``, in training, also
    ``ctc_neck`` (N, T, C'): what the classifier reads."""

    reads = "sequence"

    def __init__(self, options: Options, in_channels: int, charset: Charset):
        super().__init__()
        self.return_feats = options.return_feats
        self.guide_layer = GuideLayer(in_channels) if options.use_guide else None
        self.has_middle = options.mid_channels is not None
        if options.mid_channels is None:
            self.fc = _linear(in_channels, charset.num_classes)
        else:
            self.fc1 = _linear(in_channels, options.mid_channels)
            self.fc2 = _linear(options.mid_channels, charset.num_classes)
        self.l2_overrides = dict.fromkeys(("fc1", "fc2") if self.has_middle else ("fc",), options.fc_decay)

    def forward(self, features: Tensor, targets: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
        """(N, T, C) -> {"ctc": (N, T, classes)} and what the class says."""
        x = features if self.guide_layer is None else self.guide_layer(features)
        if self.has_middle:
            x = self.fc1(x)
        logits = self.fc2(x) if self.has_middle else self.fc(x)
        return {"ctc": logits, "ctc_neck": x} if self.return_feats and self.training else {"ctc": logits}
