"""One encoding of DB's maps for the two transforms that ask for them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ocrtune.codec.db import DBMaps, encode_maps
from ocrtune.data.item import Item


@dataclass(frozen=True)
class MapSettings:
    """Arguments of ``codec.db.encode_maps``; None means that the caller does not look at what it decides."""

    shrink_ratio: float
    thresholds: tuple[float, float] | None = None
    min_text_size: int | None = None


def maps_of(item: Item, settings: MapSettings) -> DBMaps:
    """The maps of the item's polygons, encoded once as long as the settings that matter stay the same."""
    if item.maps is not None:
        made, maps = item.maps
        wanted = replace(
            settings,
            thresholds=settings.thresholds or made.thresholds,
            min_text_size=settings.min_text_size or made.min_text_size,
        )
        if wanted == made:
            return maps
    made = MapSettings(settings.shrink_ratio, settings.thresholds or (0.3, 0.7), settings.min_text_size or 8)
    assert made.thresholds is not None
    assert made.min_text_size is not None
    maps = encode_maps(
        item.polygons,
        item.ignore.tolist(),
        (item.image.shape[0], item.image.shape[1]),
        shrink_ratio=made.shrink_ratio,
        thresh_min=made.thresholds[0],
        thresh_max=made.thresholds[1],
        min_text_size=made.min_text_size,
    )
    item.maps = (made, maps)
    return maps


def shrink_ratio_at(epoch: int, ratio: float, total_epoch: int | None, dynamic: bool) -> float:
    """The ratio of a 0-based epoch: grows by 0.2 over ``total_epoch`` when ``dynamic``, else stays."""
    return ratio + 0.2 * min(epoch / total_epoch, 1.0) if dynamic and total_epoch else ratio
