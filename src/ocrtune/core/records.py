"""The records that travel between the rooms. Images are (H, W, 3) uint8, BGR; points are pixels, x before y."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Polygon = NDArray[np.float32]


class ImageFile(Protocol):
    """An encoded image: a :class:`~pathlib.Path`, or an image inside an archive, which looks like one.

    Equal and hashed by place; ``str()`` names it for messages. Reading raises OSError for a path, DataError for an
    archive.
    """

    @property
    def name(self) -> str: ...

    @property
    def stem(self) -> str: ...

    def read_bytes(self) -> bytes: ...

    def open(self, mode: Literal["rb"]) -> IO[bytes]: ...


@dataclass(frozen=True)
class TextInstance:
    """One labelled text of a detection image.

    polygon: (K, 2) float32 pixels, K >= 3, clockwise from the reading top-left.
    ignore: the label was ``###`` or ``*``: neither trained on nor counted.
    """

    polygon: Polygon
    text: str
    ignore: bool = False


@dataclass(frozen=True)
class Sample:
    """One line of a label file, or one record of an archive.

    source: ``file:line`` or ``archive:key``, for messages. image_path: an absolute path, or an image in an archive.
    text: recognition label, raw; None for detection. instances: detection labels; empty for a blank page.
    alternatives: further images of the same label; training draws one of all of them at each access.
    """

    source: str
    image_path: ImageFile
    text: str | None = None
    instances: tuple[TextInstance, ...] = ()
    alternatives: tuple[ImageFile, ...] = ()


@dataclass
class Batch:
    """What a model and a loss see. ``image`` (N, 3, H, W) float32; targets by name (see each transform).

    samples: the N label lines, in order, so that metrics use the raw label and never a re-decoded one.
    meta: evaluation only: per sample what decoding needs besides the tensor (detection: the ``Scale``).
    """

    image: Any
    targets: dict[str, Any]
    samples: tuple[Sample, ...]
    meta: tuple[Any, ...] = ()

    def __len__(self) -> int:
        return len(self.samples)


@dataclass(frozen=True)
class DetectionResult:
    """Boxes of one image in the pixels of that image.

    polygons: M arrays (K, 2) float32, clockwise from top-left. scores: (M,) in 0..1.
    """

    polygons: tuple[Polygon, ...]
    scores: NDArray[np.float32]


@dataclass(frozen=True)
class RecognitionResult:
    """Text of one crop.

    score: mean probability of the kept CTC steps, 0..1 (0 when the text is empty).
    likelihood: how likely image and language find the text together, as a logarithm; 0 for all where no language is
        known.
    """

    text: str
    score: float
    likelihood: float = 0.0


@dataclass(frozen=True)
class PageText:
    """One detected and read text of a page."""

    polygon: Polygon
    text: str
    score: float
    detection_score: float


@dataclass(frozen=True)
class ModelCard:
    """What an exported file must carry to be used without its training config; stored in the ONNX metadata.

    preprocess and postprocess are the ``to_dict()`` of the codec dataclasses that made and read the tensors.
    """

    task: str
    model_name: str
    preprocess: Mapping[str, Any]
    postprocess: Mapping[str, Any]
    metrics: Mapping[str, float] = field(default_factory=dict)
    ocrtune_version: str = ""
    created: str = ""
    notes: tuple[str, ...] = ()
