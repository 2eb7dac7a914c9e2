"""RandomPerspective: a random projective view of the page (PP-OCRv6 detection)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ocrtune.data.canvas import Matrix, move_polygon, translation
from ocrtune.data.item import Context, Item
from ocrtune.data.transforms import transforms

_NEAREST = 0.5


@dataclass(frozen=True)
class RandomPerspectiveOptions:
    """prob: how often. scale: the size factor is drawn from 1 - scale to 1 + scale. shear: degrees, drawn from
    -shear to shear for x and for y. perspective: drawn from -perspective to perspective, per pixel of distance from
    the centre. fit_output: enlarge the canvas so that the whole page stays visible. fill_value: colour (BGR) around
    the page."""

    prob: float = 0.5
    scale: float = 0.0
    shear: float = 0.0
    perspective: float = 0.0
    fit_output: bool = True
    fill_value: tuple[int, int, int] = (0, 0, 0)

    def __post_init__(self) -> None:
        if not 0 <= self.scale < 1 or not 0 <= self.shear < 60 or self.perspective < 0:
            raise ValueError("expected 0 <= scale < 1, 0 <= shear < 60, perspective >= 0")


@transforms.register("RandomPerspective", RandomPerspectiveOptions)
class RandomPerspective:
    """Compose shear, scale and perspective about the centre into the item's pending geometry.

    PP-OCRv6's configs name this transform without its source being in PaddleOCR at 79f652f5; the meaning of the options
    is that of the YOLO family's ``random_perspective``. A perspective of 0.001 per pixel would turn large pages inside
    out, so the nearest corner is kept at no less than half the distance of the centre.
    """

    def __init__(self, options: RandomPerspectiveOptions, context: Context):
        self.options = options

    def __call__(self, item: Item, rng: np.random.Generator) -> None:
        options = self.options
        if rng.random() >= options.prob:
            return
        assert item.canvas is not None, "DecodeImage comes first"
        width, height = item.canvas.size
        view, size_factor = _draw_view(options, width, height, rng)
        to_centre, size = translation(-width / 2, -height / 2), item.canvas.size
        if options.fit_output:
            page = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
            corners = move_polygon(page, view @ to_centre)
            low, high = corners.min(axis=0), corners.max(axis=0)
            size = (max(int(np.ceil(high[0] - low[0])), 1), max(int(np.ceil(high[1] - low[1])), 1))
            back = translation(-float(low[0]), -float(low[1]))
        else:
            back = translation(width / 2, height / 2)
        item.move(back @ view @ to_centre, size, size_factor, fill=options.fill_value)


def _draw_view(
    options: RandomPerspectiveOptions, width: int, height: int, rng: np.random.Generator
) -> tuple[Matrix, float]:
    """(matrix about the centre, size factor)."""
    tilt = rng.uniform(-options.perspective, options.perspective, size=2)
    nearness = abs(tilt[0]) * width / 2 + abs(tilt[1]) * height / 2
    tilt *= min(1.0, _NEAREST / nearness) if nearness > 0 else 1.0
    factor = float(rng.uniform(1 - options.scale, 1 + options.scale))
    shear = np.tan(np.deg2rad(rng.uniform(-options.shear, options.shear, size=2)))
    sheared = np.array([[1.0, shear[0], 0.0], [shear[1], 1.0, 0.0], [0.0, 0.0, 1.0]])
    tilted = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [tilt[0], tilt[1], 1.0]])
    return sheared @ np.diag([factor, factor, 1.0]) @ tilted, factor
