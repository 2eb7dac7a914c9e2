"""The layers of PPLCNetV3 with parallel branches, as one convolution also while they learn, on a CPU.

A branch is a convolution and a BatchNorm, and the branches are added up. With the mean and the variance that each
BatchNorm would find (:mod:`ocrtune.training.moments`) it is a factor and a shift of the convolution's weight, so the sum
of all branches is a single convolution. Outputs, gradients and running statistics are those of the plain layer but for
rounding; only the arithmetic differs.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ocrtune.models.backbones.lcnet_v3 import Affine, ConvNorm, RepLayer
from ocrtune.training.moments import channel_moments


class MergedRepLayer(RepLayer):
    """A 1x1 ``RepLayer``: same parameters, names and outputs; see the module for what differs."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H, W)."""
        if not self._pays(x):
            return super().forward(x)
        mean, covariance = channel_moments(x)
        pixels = x.numel() // x.shape[1]
        weight: Tensor | None = None
        shift: Tensor | None = None
        for branch in self.conv_kxk:
            assert isinstance(branch, ConvNorm)
            kernel = branch.conv.weight.flatten(1)
            variance = ((kernel @ covariance) * kernel).sum(1)
            factor, more = normalisation(branch.bn, kernel @ mean, variance, pixels)
            scaled = kernel * factor[:, None]
            weight = scaled if weight is None else weight + scaled
            shift = more if shift is None else shift + more
        assert weight is not None
        assert shift is not None
        if self.identity is not None:
            factor, more = normalisation(self.identity, mean, covariance.diagonal(), pixels)
            weight, shift = weight + factor.diag(), shift + more
        if isinstance(self.lab, Affine):
            weight, shift = weight * self.lab.scale, shift * self.lab.scale + self.lab.bias
        x = F.conv2d(x, weight[:, :, None, None], shift)
        activated: Tensor = self.act(x) if self.activated else x
        return activated

    def _pays(self, x: Tensor) -> bool:
        """Whether this is a training step in plain float32, of more pixels than it takes to be worth it."""
        norms = [module for module in self.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
        usual = all(type(norm) is nn.BatchNorm2d and norm.training and norm.momentum is not None for norm in norms)
        plain = x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
        return self.reparam_conv is None and usual and plain and x.numel() > 4 * x.shape[1] ** 2


def merge_rep_layers_(model: nn.Module) -> int:
    """Make each 1x1 ``RepLayer`` of ``model`` a :class:`MergedRepLayer`; their number. Parameters stay the same objects."""
    found = [layer for layer in model.modules() if type(layer) is RepLayer and layer.conv_1x1 is None]
    for layer in found:
        layer.__class__ = MergedRepLayer
    return len(found)


def normalisation(norm: nn.Module, mean: Tensor, variance: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Factor and shift (C,) that are ``norm`` in training, given mean and biased variance of its ``count`` values.

    Moves the running statistics, as ``norm`` itself would.
    """
    assert isinstance(norm, nn.BatchNorm2d)
    variance = variance.clamp_min(0)  # rounding
    if norm.running_mean is not None and norm.running_var is not None and norm.num_batches_tracked is not None:
        assert norm.momentum is not None
        with torch.no_grad():
            norm.running_mean.lerp_(mean, norm.momentum)
            norm.running_var.lerp_(variance * (count / (count - 1)), norm.momentum)
            norm.num_batches_tracked += 1
    factor = torch.rsqrt(variance + norm.eps)
    factor = factor if norm.weight is None else factor * norm.weight
    shift = -factor * mean
    return factor, shift if norm.bias is None else shift + norm.bias
