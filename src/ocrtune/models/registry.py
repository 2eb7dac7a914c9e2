"""The registries of everything an ``Architecture`` section names.

How an entry is built (``Registry.get(name).factory``):

==========  ==============================================  =====================================================
backbones   ``factory(options)``                            ``out_channels``: int (recognition) or tuple (detection)
necks       ``factory(options, in_channels)``               ``out_channels``: int
encoders    ``factory(options, in_channels)``               ``out_channels``: int; (N, C, 1, W) -> (N, T, C)
heads       ``factory(options, in_channels, charset)``      ``forward(features, targets) -> dict[str, Tensor]``
==========  ==============================================  =====================================================

What fits together is said by class attributes: a head ``reads`` a ``"pyramid"`` (detection), a ``"sequence"``, or the
backbone's own ``"map"`` (recognition); a neck ``gives`` a ``"pyramid"`` or a ``"sequence"``.
"""

from __future__ import annotations

from torch import nn

from ocrtune.core.registry import Registry

backbones: Registry[nn.Module] = Registry("backbone", "ocrtune.models.backbones")
necks: Registry[nn.Module] = Registry("neck", "ocrtune.models.necks")
encoders: Registry[nn.Module] = Registry("sequence encoder", "ocrtune.models.encoders")
heads: Registry[nn.Module] = Registry("head", "ocrtune.models.heads")
