"""PaddlePaddle's default initialisation, so that training from scratch starts where PaddleOCR starts."""

from __future__ import annotations

import math

from torch import nn

Convolution = nn.Conv2d | nn.ConvTranspose2d


def initialise_(module: nn.Module) -> None:
    """Set every layer below ``module`` to Paddle's defaults; components then override what PaddleOCR overrides.

    Conv1D, Conv2D: normal with variance 2 / (kernel area x input channels), groups not counted (``paddle.nn.Conv2D``).
    Linear: Xavier uniform. Biases: 0. BatchNorm and LayerNorm: weight 1, bias 0. LSTM: PyTorch's default is Paddle's.
    """
    for layer in module.modules():
        if isinstance(layer, (nn.Conv1d, nn.Conv2d)):
            nn.init.normal_(layer.weight, 0.0, (2.0 / (math.prod(layer.kernel_size) * layer.in_channels)) ** 0.5)
        elif isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
        elif isinstance(layer, (nn.BatchNorm2d, nn.LayerNorm)):
            nn.init.ones_(layer.weight)
        else:
            continue
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def kaiming_uniform_(*convolutions: Convolution) -> None:
    """Paddle's ``KaimingUniform``: bound sqrt(6 / fan_in)."""
    for convolution in convolutions:
        nn.init.kaiming_uniform_(convolution.weight, nonlinearity="relu")


def kaiming_normal_(*convolutions: Convolution) -> None:
    """Paddle's ``KaimingNormal``: standard deviation sqrt(2 / fan_in)."""
    for convolution in convolutions:
        nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
