"""SequenceEncoder: the recognition neck that wraps an encoder (PaddleOCR ``ppocr/modeling/necks/rnn.py``)."""

# calling an nn.Module is untyped
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from ocrtune.core.options import Findings
from ocrtune.models.registry import encoders, necks


@dataclass(frozen=True)
class Options:
    """encoder_type: a name in the encoder registry; ``encoder``: that encoder's own options.

    In YAML the encoder's options stand beside the key that names it (``encoder_type``, or ``name`` in the
    ``Neck`` of a CTC head inside MultiHead).
    """

    encoder_type: str
    encoder: Any

    @classmethod
    def parse(cls, raw: Any, where: str, findings: Findings) -> Options | None:
        """``{encoder_type: rnn, hidden_size: 64}`` -> options."""
        return parse_encoder(raw, "encoder_type", where, findings)


def parse_encoder(raw: Any, key: str, where: str, findings: Findings) -> Options | None:
    """Split ``raw`` into the encoder's name, found under ``key``, and the encoder's options."""
    if not isinstance(raw, Mapping) or not isinstance(raw.get(key), str):
        findings.problem(f"{where}.{key}", "missing", f"one of {', '.join(encoders.names())}")
        return None
    own = {name: value for name, value in raw.items() if name != key}
    options = encoders.parse(raw[key], own, where, findings)
    return None if options is None else Options(raw[key], options)


@necks.register("SequenceEncoder", Options)
class SequenceEncoder(nn.Module):
    """(N, C, 1, W) -> (N, W, C')."""

    gives = "sequence"

    def __init__(self, options: Options, in_channels: int):
        super().__init__()
        encoder: Any = encoders.get(options.encoder_type).factory(options.encoder, in_channels)
        self.encoder: nn.Module = encoder
        self.out_channels: int = encoder.out_channels

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, 1, W) -> (N, W, C')."""
        return self.encoder(x)
