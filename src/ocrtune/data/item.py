"""What the transforms work on: one sample on its way from the file to the batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ocrtune.codec.db import DBMaps
from ocrtune.core.charset import Charset
from ocrtune.core.records import Image, Polygon, Sample
from ocrtune.data.canvas import Canvas, Matrix, move_polygons
from ocrtune.data.kept_images import KeptImages

Tensor = NDArray[np.float32]


@dataclass(frozen=True)
class Frame:
    """What the sampler asks of a recognition tensor, in pixels: its height, and the bounds of its width."""

    height: int
    min_width: int
    max_width: int


@dataclass
class Item:
    """A sample that transforms change in place.

    sample: the label line, unchanged. canvas: the pixels; None before DecodeImage. tensor: (3, H, W) or (H, W, 3)
    float32 once normalised. polygons: (K, 2) float32 pixels each; ignore and texts run alongside.
    text: recognition label. targets: what the loss sees, by name. epoch: 0-based.
    frame: size that the sampler asks of the recognition tensor; None leaves it to the transforms.
    maps: the DB maps last encoded, with the settings they were made by, so that two transforms share one encoding.
    draw: another item of the set, prepared by the first transforms, for those that mix samples; None for an item that
    was itself drawn: it stays as it is.
    kept: where decoded images are kept in memory; None where they are not.
    used: (width, height) of the tensor's top left part that shows the page, where the rest is black padding.
    """

    sample: Sample
    canvas: Canvas | None = None
    tensor: Tensor | None = None
    polygons: list[Polygon] = field(default_factory=list)
    ignore: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    texts: list[str] = field(default_factory=list)
    text: str = ""
    targets: dict[str, Any] = field(default_factory=dict)
    epoch: int = 0
    frame: Frame | None = None
    maps: tuple[Any, DBMaps] | None = None
    draw: Callable[[np.random.Generator], Item] | None = None
    kept: KeptImages | None = None
    used: tuple[int, int] | None = None

    @property
    def image(self) -> Image:
        """The decoded pixels, (H, W, 3) uint8 BGR, pending geometry applied."""
        assert self.canvas is not None, "DecodeImage comes first"
        return self.canvas.pixels()

    @image.setter
    def image(self, image: Image) -> None:
        self.canvas = Canvas(image)

    def move(
        self,
        matrix: Matrix,
        size: tuple[int, int],
        scale: float = 1.0,
        fill: tuple[int, int, int] | None = None,
    ) -> None:
        """Move pixels and polygons together; see :meth:`Canvas.apply`."""
        assert self.canvas is not None, "DecodeImage comes first"
        self.canvas.apply(matrix, size, scale, fill)
        self.maps = None
        self.polygons = move_polygons(self.polygons, matrix)

    def keep(self, indices: list[int]) -> None:
        """Only the text instances at ``indices``."""
        self.maps = None
        self.polygons = [self.polygons[i] for i in indices]
        self.texts = [self.texts[i] for i in indices]
        self.ignore = self.ignore[indices] if indices else np.zeros(0, bool)


class Transform(Protocol):
    """One step of a pipeline. Randomness comes from ``rng`` alone."""

    def __call__(self, item: Item, rng: np.random.Generator) -> None: ...


@dataclass(frozen=True)
class Spelled:
    """A line whose every character the base model read as its label says.

    turned: it did so upside down. places: of each character, where along the (then turned) crop it was read, 0..1.
    """

    turned: bool
    places: tuple[float, ...]


@dataclass(frozen=True)
class Context:
    """What building a transform may need besides its own options.

    charset: None for detection. max_text_length: of ``Global``, in characters. spelled: by ``Sample.source``, of lines
    that were read before training.
    """

    charset: Charset | None = None
    max_text_length: int = 25
    spelled: Mapping[str, Spelled] = field(default_factory=dict)
