"""IaaAugment: mirror, rotate and resize pages, as PaddleOCR's configs spell it (once the imgaug package)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from ocrtune.core.errors import did_you_mean
from ocrtune.core.options import Findings, parse_fields
from ocrtune.data.canvas import translation
from ocrtune.data.item import Context, Item
from ocrtune.data.transforms import transforms


@dataclass(frozen=True)
class Fliplr:
    """Mirror left to right with probability ``p``. Text is mirrored too: detection learns where, not what."""

    p: float = 1.0


@dataclass(frozen=True)
class Affine:
    """Rotate about the centre. rotate: degrees, one value or a range; p: how often.

    fit_output: enlarge the canvas so that no corner of the page is cut off; otherwise it keeps its size.
    """

    rotate: tuple[float, float] | float = 0.0
    p: float = 1.0
    fit_output: bool = False


@dataclass(frozen=True)
class Resize:
    """Resize by a factor drawn from ``size``.

    Before EastRandomCropData, which scales to a fixed size anyway, this only takes detail away (factors below 1).
    """

    size: tuple[float, float] = (1.0, 1.0)

    def __post_init__(self) -> None:
        if not 0 < self.size[0] <= self.size[1]:
            raise ValueError("size must be two factors above 0, the smaller first")


Augmenter: TypeAlias = Fliplr | Affine | Resize
_TYPES: dict[str, type] = {"Fliplr": Fliplr, "Affine": Affine, "Resize": Resize}
_DEFAULT: tuple[Augmenter, ...] = (Fliplr(0.5), Affine((-10.0, 10.0)), Resize((0.5, 3.0)))


@dataclass(frozen=True)
class IaaAugmentOptions:
    """augmenter_args: list of ``{type: Fliplr | Affine | Resize, args: {...}}``, applied in order."""

    augmenter_args: tuple[Augmenter, ...] = _DEFAULT

    @classmethod
    def parse(cls, raw: Any, where: str, findings: Findings) -> IaaAugmentOptions | None:
        """Each entry by its ``type``."""
        if not raw or raw == {"augmenter_args": None}:
            return cls()
        if (
            not isinstance(raw, Mapping)
            or set(raw) != {"augmenter_args"}
            or not isinstance(raw["augmenter_args"], list)
        ):
            findings.problem(where, "expected the one key augmenter_args with a list")
            return None
        entries = enumerate(raw["augmenter_args"])
        parsed = [_augmenter(entry, f"{where}.augmenter_args[{i}]", findings) for i, entry in entries]
        return None if None in parsed else cls(tuple(parsed))


def _augmenter(raw: Any, where: str, findings: Findings) -> Any:
    if not isinstance(raw, Mapping) or not set(raw) <= {"type", "args"} or raw.get("type") not in _TYPES:
        name = raw.get("type") if isinstance(raw, Mapping) else raw
        findings.problem(where, f"no augmenter is called {name!r}", did_you_mean(str(name), _TYPES))
        return None
    return parse_fields(_TYPES[raw["type"]], raw.get("args"), f"{where}.args", findings)


@transforms.register("IaaAugment", IaaAugmentOptions)
class IaaAugment:
    """Compose the augmenters into the item's pending geometry.

    Source of the distributions: PaddleOCR ppocr/data/imaug/iaa_augment.py at 79f652f5, except that ``p`` of Affine is
    obeyed (there it is overwritten with 1).
    """

    def __init__(self, options: IaaAugmentOptions, context: Context):
        self.augmenters = options.augmenter_args

    def __call__(self, item: Item, rng: np.random.Generator) -> None:
        for augmenter in self.augmenters:
            if isinstance(augmenter, Fliplr):
                if rng.random() < augmenter.p:
                    _mirror(item)
            elif isinstance(augmenter, Affine):
                if rng.random() < augmenter.p:
                    _rotate(item, _drawn(augmenter.rotate, rng), augmenter.fit_output)
            else:
                _resize(item, rng.uniform(*augmenter.size))


def _drawn(value: tuple[float, float] | float, rng: np.random.Generator) -> float:
    return float(rng.uniform(*value)) if isinstance(value, tuple) else value


def _mirror(item: Item) -> None:
    assert item.canvas is not None
    width = item.canvas.size[0]
    item.move(np.array([[-1.0, 0.0, width], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]), item.canvas.size)


def _rotate(item: Item, degrees: float, fit_output: bool) -> None:
    """Counter-clockwise as seen on the screen."""
    assert item.canvas is not None
    width, height = size = item.canvas.size
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    turn = np.array([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]])
    if fit_output:
        across, down = abs(cos) * width + abs(sin) * height, abs(sin) * width + abs(cos) * height
        size = (max(math.ceil(across), 1), max(math.ceil(down), 1))
    item.move(translation(size[0] / 2, size[1] / 2) @ turn @ translation(-width / 2, -height / 2), size)


def _resize(item: Item, factor: float) -> None:
    assert item.canvas is not None
    width, height = item.canvas.size
    size = (max(int(width * factor), 1), max(int(height * factor), 1))
    item.move(np.diag([size[0] / width, size[1] / height, 1.0]), size, scale=factor)
