"""Everything that a config may name, for ``load_config``."""

from __future__ import annotations

from ocrtune.codec.registry import postprocessors
from ocrtune.config.registries import Registries
from ocrtune.data.transforms import transforms
from ocrtune.losses.registry import losses
from ocrtune.metrics.registry import metrics
from ocrtune.models.registry import backbones, heads, necks
from ocrtune.weights import catalogue, checkpoints


def all_registries() -> Registries:
    """The registries of this installation and the names of the released weights."""
    return Registries(
        backbones=backbones,
        necks=necks,
        heads=heads,
        losses=losses,
        transforms=transforms,
        postprocess=postprocessors,
        metrics=metrics,
        pretrained=[*catalogue.names(), *checkpoints.names_in_cache()],
    )
