"""The arithmetic of folding: a convolution and the BatchNorm behind it as one convolution with a bias."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Convolution = nn.Conv1d | nn.Conv2d | nn.ConvTranspose2d
Norm = nn.BatchNorm1d | nn.BatchNorm2d


def fused(convolution: Convolution, norm: Norm) -> tuple[Tensor, Tensor]:
    """Weight and bias, float64, of the convolution that equals ``norm(convolution(x))`` in eval mode."""
    if norm.running_mean is None or norm.running_var is None:
        raise ValueError("a BatchNorm without running statistics cannot be folded")
    scale = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
    weight = convolution.weight.double()
    axis = 1 if isinstance(convolution, nn.ConvTranspose2d) else 0  # its weight is (in, out, h, w)
    weight = weight * scale.reshape([-1 if i == axis else 1 for i in range(weight.ndim)])
    offset = -norm.running_mean.double()
    if convolution.bias is not None:
        offset = offset + convolution.bias.double()
    return weight, norm.bias.double() + offset * scale


def set_weight_and_bias_(convolution: Convolution, weight: Tensor, bias: Tensor) -> None:
    """Put ``weight`` and ``bias`` into ``convolution``, in its own type; a missing bias is created."""
    convolution.weight.copy_(weight)
    if convolution.bias is None:
        convolution.bias = nn.Parameter(convolution.weight.new_empty(convolution.out_channels))
    convolution.bias.copy_(bias)


def undilated(weight: Tensor, dilation: int) -> Tensor:
    """(C, 1, k, k) of a dilated depthwise convolution as the (C, 1, r(k-1)+1, ...) kernel of a dense one."""
    size = dilation * (weight.shape[-1] - 1) + 1
    dense = weight.new_zeros(*weight.shape[:2], size, size)
    dense[..., ::dilation, ::dilation] = weight
    return dense


def centred(weight: Tensor, size: int) -> Tensor:
    """``weight`` (..., k, k) padded with zeros on all sides to (..., size, size); both odd."""
    margin = (size - weight.shape[-1]) // 2
    return F.pad(weight, (margin, margin, margin, margin))
