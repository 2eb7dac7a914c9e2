"""The layers of PPLCNetV3 with parallel branches, as one convolution also while they learn, on a CPU.

A branch is a convolution and a BatchNorm, and the branches are added up. With the mean and the variance that each
BatchNorm would find (:mod:`ocrtune.training.moments`, :mod:`ocrtune.training.patches`) a branch is a convolution with
another weight and a bias, and so is the sum of all branches. Outputs, gradients and running statistics are those of the
plain layer but for rounding. Left plain are 5x5 depthwise layers, where this is not faster.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ocrtune.models.backbones.lcnet_v3 import Affine, ConvNorm, RepLayer
from ocrtune.models.fusion import centred
from ocrtune.training.compiled import can_compile, computed
from ocrtune.training.convolution import Geometry, convolve
from ocrtune.training.depthwise import convolve_depthwise
from ocrtune.training.moments import channel_moments
from ocrtune.training.patches import patch_moments


class MergedRepLayer(RepLayer):
    """A 1x1 or a depthwise 3x3 ``RepLayer``: same parameters, names and outputs; see the module for what differs."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H/stride, W/stride)."""
        cast = computed(x) if self._pays(x) else None
        if cast is None:
            return super().forward(x)
        x = self._depthwise(cast) if self._convolution.groups > 1 else self._pointwise(cast)
        return self.act(x) if self.activated else x

    @property
    def _convolution(self) -> nn.Conv2d:
        first = self.conv_kxk[0]
        assert isinstance(first, ConvNorm)
        return first.conv

    def _pays(self, x: Tensor) -> bool:
        """Whether this is training with branches, of more pixels than it takes to be worth it."""
        norms = [module for module in self.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
        usual = all(isinstance(norm, nn.BatchNorm2d) and norm.training and norm.momentum is not None for norm in norms)
        if self.reparam_conv is not None or not usual:
            return False
        layer = self._convolution
        return x.numel() > 4 * x.shape[1] * layer.kernel_size[0] ** 2 * (x.shape[1] if layer.groups == 1 else 1)

    def _pointwise(self, x: Tensor) -> Tensor:
        mean, covariance = channel_moments(x)
        merged = Merged(x.numel() // x.shape[1])
        for branch in self._conv_norms():
            kernel = branch.conv.weight.flatten(1)
            merged.add(kernel, branch.bn, kernel @ mean, ((kernel @ covariance) * kernel).sum(1))
        if self.identity is not None:
            one = torch.eye(x.shape[1])
            merged.add(one, self.identity, mean, covariance.diagonal())
        weight, shift = merged.through(self.lab)
        return convolve(x, weight[:, :, None, None], shift, Geometry((1, 1), (0, 0), (1, 1), 1))

    def _depthwise(self, x: Tensor) -> Tensor:
        layer, size = self._convolution, self._convolution.kernel_size[0]
        stride = (layer.stride[0], layer.stride[1])
        sums, products = patch_moments(x, size, stride)
        count = x.shape[0] * math.prod((side - 1) // step + 1 for side, step in zip(x.shape[2:], stride))
        mean = sums / count
        covariance = products / count - mean[:, :, None] * mean[:, None]
        merged = Merged(count)
        named = [(branch.conv.weight, branch.bn) for branch in self._conv_norms()]
        if self.identity is not None:
            named.append((torch.ones(x.shape[1], 1, 1, 1), self.identity))
        for weight, norm in named:
            kernel = centred(weight.double(), size).flatten(1)
            variance = (kernel[:, None] @ covariance @ kernel[:, :, None]).flatten()
            merged.add(kernel, norm, (kernel * mean).sum(1), variance)
        weight, shift = (value.float() for value in merged.through(self.lab))
        weight = weight.view(-1, 1, size, size)
        return convolve_depthwise(x, weight, shift, Geometry.of(layer))

    def _conv_norms(self) -> list[ConvNorm]:
        found = [branch for branch in self.conv_kxk if isinstance(branch, ConvNorm)]
        return found if self.conv_1x1 is None else [*found, self.conv_1x1]


class Merged:
    """The sum of normalised branches, as ``weight`` (C', ...) and ``shift`` (C',) of a single convolution.

    count: of the values that each BatchNorm sees in a channel.
    """

    def __init__(self, count: int):
        self.count = count
        self.weight: Tensor | float = 0.0
        self.shift: Tensor | float = 0.0

    def add(self, kernel: Tensor, norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor) -> None:
        """Add a branch. kernel: (C', ...). mean, variance: (C',), of its output in front of ``norm``."""
        factor, shift = normalisation(norm, mean, variance, self.count)
        self.weight = self.weight + kernel * factor[:, None]
        self.shift = self.shift + shift

    def through(self, affine: nn.Module) -> tuple[Tensor, Tensor]:
        """Weight and shift with the layer's ``lab`` behind them."""
        weight, shift = self.weight, self.shift
        if isinstance(affine, Affine):
            weight, shift = weight * affine.scale, shift * affine.scale + affine.bias
        assert isinstance(weight, Tensor)
        assert isinstance(shift, Tensor)
        return weight, shift


def merge_rep_layers_(model: nn.Module) -> int:
    """Make those ``RepLayer`` of ``model`` that learn faster so a :class:`MergedRepLayer`; their number.

    Parameters stay the same objects. Depthwise layers are left alone where numba (the ``train`` extra) is missing.
    """
    found = [layer for layer in model.modules() if type(layer) is RepLayer and _is_faster_merged(layer)]
    for layer in found:
        layer.__class__ = MergedRepLayer
    return len(found)


def _is_faster_merged(layer: RepLayer) -> bool:
    if layer.reparam_conv is not None:
        return False
    first = layer.conv_kxk[0]
    assert isinstance(first, ConvNorm)
    size, groups = first.conv.kernel_size[0], first.conv.groups
    if groups == 1:
        return size == 1 and first.conv.stride == (1, 1)
    return size == 3 and groups == first.conv.in_channels == first.conv.out_channels and can_compile()


def normalisation(norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Factor and shift (C,) that are ``norm`` in training, given mean and biased variance of its ``count`` values.

    Moves the running statistics, as ``norm`` itself would.
    """
    variance = variance.clamp_min(0)  # rounding
    if norm.running_mean is not None and norm.running_var is not None and norm.num_batches_tracked is not None:
        assert norm.momentum is not None
        with torch.no_grad():
            norm.running_mean.lerp_(mean.to(norm.running_mean), norm.momentum)
            norm.running_var.lerp_((variance * (count / (count - 1))).to(norm.running_var), norm.momentum)
            norm.num_batches_tracked += 1
    factor = torch.rsqrt(variance + norm.eps)
    factor = factor if norm.weight is None else factor * norm.weight
    shift = -factor * mean
    return factor, shift if norm.bias is None else shift + norm.bias
