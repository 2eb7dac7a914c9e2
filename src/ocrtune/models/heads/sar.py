"""The SAR decoder that guides CTC in PP-OCRv3 (PaddleOCR ``ppocr/modeling/heads/rec_sar_head.py``, 79f652f5).

Li et al., "Show, Attend and Read" (AAAI 2019). It is never part of inference, so only the teacher-forced pass exists.
"""

# calling an nn.Module is untyped
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ocrtune.core.charset import Charset
from ocrtune.core.errors import Problem, TrainingError
from ocrtune.models.initialise import initialise_

_SPECIAL_CLASSES = 3  # unknown, start and end (one class), padding come after the characters


@dataclass(frozen=True)
class Options:
    """enc_dim: width of the recurrent layers; d_k: of the attention.

    enc_drop_rnn, dec_drop_rnn: dropout between the two layers of the encoder and of the decoder.
    pred_dropout: dropout of the logits themselves, as PaddleOCR has it. max_text_length: of PaddleOCR's inference.
    """

    enc_dim: int = 512
    d_k: int = 512
    enc_drop_rnn: float = 0.1
    dec_drop_rnn: float = 0.0
    pred_dropout: float = 0.1
    max_text_length: int = 30


def class_count(charset: Charset) -> int:
    """Classes of the embedding: the characters, unknown, start and end, padding (CTC classes + 2)."""
    return len(charset) + _SPECIAL_CLASSES


class SAREncoder(nn.Module):
    """The whole line as one vector: a recurrent pass over the columns, its state at the last valid one."""

    def __init__(self, options: Options, in_channels: int):
        super().__init__()
        width = options.enc_dim
        self.rnn_encoder = nn.LSTM(in_channels, width, num_layers=2, batch_first=True, dropout=options.enc_drop_rnn)
        self.linear = nn.Linear(width, width)

    def forward(self, features: Tensor, valid_ratio: Tensor) -> Tensor:
        """(N, C, H, W), (N,) -> (N, width)."""
        columns = F.max_pool2d(features, (features.shape[2], 1)).squeeze(2).transpose(1, 2)
        states = self.rnn_encoder(columns)[0]
        last = valid_columns(valid_ratio, states.shape[1]) - 1
        return self.linear(states[torch.arange(len(last), device=last.device), last])


class SARDecoder(nn.Module):
    """Reads the label so far and looks at the image: what comes next."""

    def __init__(self, options: Options, in_channels: int, charset: Charset):
        super().__init__()
        width, classes = options.enc_dim, class_count(charset)
        self.padding = classes - 1
        self.conv1x1_1 = nn.Linear(width, options.d_k)
        self.conv3x3_1 = nn.Conv2d(in_channels, options.d_k, 3, padding=1)
        self.conv1x1_2 = nn.Linear(options.d_k, 1)
        self.rnn_decoder = nn.LSTM(width, width, num_layers=2, batch_first=True, dropout=options.dec_drop_rnn)
        self.embedding = nn.Embedding(classes, width, padding_idx=self.padding)
        self.pred_dropout = nn.Dropout(options.pred_dropout)
        self.prediction = nn.Linear(width + in_channels + width, classes - 1)

    def forward(self, features: Tensor, holistic: Tensor, tokens: Tensor, valid_ratio: Tensor) -> Tensor:
        """features (N, C, H, W), holistic (N, width), tokens (N, L), valid_ratio (N,) -> (N, L, classes - 1)."""
        read = self.embedding(tokens) * (tokens != self.padding).unsqueeze(2)  # padding is zero, also after loading
        states = self.rnn_decoder(torch.cat((holistic.unsqueeze(1), read), dim=1))[0][:, 1:]
        seen = self._attend(states, features, valid_ratio)
        line = holistic.unsqueeze(1).expand(-1, states.shape[1], -1)
        return self.pred_dropout(self.prediction(torch.cat((states, seen, line), dim=2)))

    def _attend(self, states: Tensor, features: Tensor, valid_ratio: Tensor) -> Tensor:
        """(N, L, width), (N, C, H, W) -> (N, L, C): the features each step looks at, within the valid columns."""
        query = self.conv1x1_1(states)[:, :, None, None]
        key = self.conv3x3_1(features).permute(0, 2, 3, 1).unsqueeze(1)
        scores = self.conv1x1_2(torch.tanh(query + key)).squeeze(4)
        column = torch.arange(features.shape[3], device=features.device)
        outside = column >= valid_columns(valid_ratio, features.shape[3]).unsqueeze(1)
        scores = scores.masked_fill(outside[:, None, None], float("-inf"))
        weights = torch.softmax(scores.flatten(2), dim=2)
        return weights @ features.flatten(2).transpose(1, 2)


class SARHead(nn.Module):
    """(N, C, H, W) and labels -> (N, L, classes - 1) logits; row i predicts token i + 1."""

    def __init__(self, options: Options, in_channels: int, charset: Charset):
        super().__init__()
        self.encoder = SAREncoder(options, in_channels)
        self.decoder = SARDecoder(options, in_channels, charset)
        initialise_(self)
        nn.init.xavier_uniform_(self.decoder.embedding.weight)
        with torch.no_grad():
            self.decoder.embedding.weight[self.decoder.padding] = 0.0

    def forward(self, features: Tensor, targets: Mapping[str, Tensor] | None) -> Tensor:
        """``targets["sar"]`` (N, L): start, characters, end, padding; ``targets["valid_ratio"]`` (N,): the share of
        the columns that shows text, 1 when absent. TrainingError without labels."""
        if targets is None or "sar" not in targets:
            fix = "encode the labels with MultiLabelEncode (gtc_encode SARLabelEncode), or remove SARHead"
            raise TrainingError(Problem("Architecture.Head", "the SAR branch got no labels", fix))
        valid_ratio = targets.get("valid_ratio")
        if valid_ratio is None:
            valid_ratio = torch.ones(len(features), device=features.device)
        return self.decoder(features, self.encoder(features, valid_ratio), targets["sar"], valid_ratio)


def valid_columns(valid_ratio: Tensor, columns: int) -> Tensor:
    """(N,) number of the ``columns`` that hold text, at least 1."""
    return torch.ceil(valid_ratio * columns).long().clamp(1, columns)
