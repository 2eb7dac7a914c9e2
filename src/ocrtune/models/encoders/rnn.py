"""Two layers of bidirectional LSTM (PaddleOCR ``ppocr/modeling/necks/rnn.py`` EncoderWithRNN, 79f652f5)."""

# calling an nn.Module is untyped
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from ocrtune.models.encoders.reshape import columns_to_steps
from ocrtune.models.registry import encoders


@dataclass(frozen=True)
class Options:
    """hidden_size: width of one direction; the output is twice as wide."""

    hidden_size: int = 48


@encoders.register("rnn", Options)
class RecurrentEncoder(nn.Module):
    """(N, C, 1, W) -> (N, W, 2 x hidden_size)."""

    def __init__(self, options: Options, in_channels: int):
        super().__init__()
        self.lstm = nn.LSTM(in_channels, options.hidden_size, num_layers=2, bidirectional=True, batch_first=True)
        self.out_channels = 2 * options.hidden_size

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, 1, W) -> (N, W, 2 x hidden_size)."""
        return self.lstm(columns_to_steps(x))[0]
