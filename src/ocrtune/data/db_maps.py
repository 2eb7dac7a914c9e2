"""One encoding of DB's maps for the two transforms that ask for them."""

from __future__ import annotations

from ocrtune.codec.db import DBMaps, encode_maps
from ocrtune.data.item import Item

_MIN_TEXT_SIZE = 8


def maps_of(item: Item, shrink_ratio: float, min_text_size: int = _MIN_TEXT_SIZE) -> DBMaps:
    """The maps of the item's polygons, ``threshold_map`` running from 0 to 1; made once for the same settings."""
    settings = (shrink_ratio, min_text_size)
    if item.maps is None or item.maps[0] != settings:
        size = (item.image.shape[0], item.image.shape[1])
        maps = encode_maps(
            item.polygons,
            item.ignore.tolist(),
            size,
            shrink_ratio=shrink_ratio,
            thresh_min=0.0,
            thresh_max=1.0,
            min_text_size=min_text_size,
        )
        item.maps = (settings, maps)
    return item.maps[1]


def shrink_ratio_at(epoch: int, ratio: float, total_epoch: int | None, dynamic: bool) -> float:
    """The ratio of a 0-based epoch: grows by 0.2 over ``total_epoch`` when ``dynamic``, else stays."""
    return ratio + 0.2 * min(epoch / total_epoch, 1.0) if dynamic and total_epoch else ratio
