"""The CTC head (PaddleOCR ``ppocr/modeling/heads/rec_ctc_head.py``, 79f652f5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from ocrtune.core.charset import Charset
from ocrtune.models.registry import heads


@dataclass(frozen=True)
class Options:
    """mid_channels: width of a linear layer before the classifier; None: classify directly.

    fc_decay: L2 factor of this head's own parameters; it replaces the optimizer's (see ``models.decay``).
    use_guide: stop the gradient at this head's input, so that only a guiding head trains what lies below.
    return_feats: in training, also give what the classifier reads, for CenterLoss.
    """

    mid_channels: int | None = None
    fc_decay: float = 0.0004
    use_guide: bool = False
    return_feats: bool = False


@heads.register("CTCHead", Options)
class CTCHead(nn.Module):
    """(N, T, C) -> ``ctc`` (N, T, classes) logits; class 0 is blank. With ``return_feats``, in training, also
    ``ctc_neck`` (N, T, C'): what the classifier reads."""

    reads = "sequence"

    def __init__(self, options: Options, in_channels: int, charset: Charset):
        super().__init__()
        self.use_guide = options.use_guide
        self.return_feats = options.return_feats
        self.l2_overrides = {"": options.fc_decay}
        classes = charset.num_classes
        if options.mid_channels is None:
            self.fc = nn.Linear(in_channels, classes)
        else:
            self.fc1 = nn.Linear(in_channels, options.mid_channels)
            self.fc2 = nn.Linear(options.mid_channels, classes)
        self.has_middle = options.mid_channels is not None
        for layer in self.children():
            assert isinstance(layer, nn.Linear)
            bound = layer.in_features**-0.5
            nn.init.uniform_(layer.weight, -bound, bound)
            nn.init.uniform_(layer.bias, -bound, bound)

    def forward(self, features: Tensor, targets: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
        """(N, T, C) -> {"ctc": (N, T, classes)} and what the class says."""
        x = features.detach() if self.use_guide else features
        if self.has_middle:
            x = self.fc1(x)
        logits = self.fc2(x) if self.has_middle else self.fc(x)
        return {"ctc": logits, "ctc_neck": x} if self.return_feats and self.training else {"ctc": logits}
