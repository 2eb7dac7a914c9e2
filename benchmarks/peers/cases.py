"""What is measured. Read by every interpreter that takes part: standard library only."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

V2_DET = "det/ch_PP-OCRv2/ch_PP-OCRv2_det_student.yml"
V4_DET = "det/PP-OCRv4/PP-OCRv4_mobile_det.yml"
V6_DET = "det/PP-OCRv6/PP-OCRv6_small_det.yml"
V2_REC = "rec/ch_PP-OCRv2/ch_PP-OCRv2_rec.yml"
V4_REC = "rec/PP-OCRv4/PP-OCRv4_mobile_rec.yml"
V6_REC = "rec/PP-OCRv6/PP-OCRv6_small_rec.yml"

KEYS_V1 = "ppocr/utils/ppocr_keys_v1.txt"
V6_WEIGHTS = "PP-OCRv6_small_rec"  # its dictionary is inside its weights, which ocrtune installs
# what the recipes need in a smoke test: 'auto' would ask the base model
RECIPE_OVERRIDES = {"det": [], "rec": ["Train.dataset.transforms.RandomRotate180.prob=0"]}


def paddleocr_configs(shared: Path, checkout: Path) -> Path:
    """The folder with PaddleOCR's YAML files: ``paddleocr-configs`` in ``shared``, else that of the checkout."""
    kept = shared / "paddleocr-configs"
    return kept if kept.is_dir() else checkout / "configs"


@dataclass(frozen=True)
class TrainCase:
    """A training step. config: below PaddleOCR's folder ``configs``. height, width: of the images, pixels.

    later: whether the network is only in PaddleOCR 3.7 and later. hidden: for tests, not part of a full run.
    """

    name: str
    config: str
    batch: int
    height: int
    width: int
    later: bool = False
    hidden: bool = False

    @property
    def kind(self) -> Literal["det", "rec"]:
        return "det" if self.config.startswith("det/") else "rec"

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, 3, H, W) of the images."""
        return self.batch, 3, self.height, self.width

    def to_json(self) -> dict[str, Any]:
        """What ``TrainCase(**...)`` takes."""
        return asdict(self)


TRAIN = (
    TrainCase("det-v2-640", V2_DET, 8, 640, 640),
    TrainCase("det-v2-960", V2_DET, 8, 960, 960),
    TrainCase("rec-v2-b32", V2_REC, 32, 32, 320),
    TrainCase("rec-v2-b128", V2_REC, 128, 32, 320),
    TrainCase("det-v4-640", V4_DET, 8, 640, 640),
    TrainCase("rec-v4-b32", V4_REC, 32, 48, 320),
    TrainCase("det-v6-640", V6_DET, 8, 640, 640, later=True),
    TrainCase("rec-v6-b32", V6_REC, 32, 48, 320, later=True),
    TrainCase("rec-v2-tiny", V2_REC, 2, 32, 128, hidden=True),
    TrainCase("det-v2-tiny", V2_DET, 2, 64, 96, hidden=True),
    TrainCase("rec-v4-tiny", V4_REC, 2, 48, 320, hidden=True),
    TrainCase("det-v6-tiny", V6_DET, 1, 64, 96, later=True, hidden=True),
    TrainCase("rec-v6-tiny", V6_REC, 2, 48, 320, later=True, hidden=True),
)


@dataclass(frozen=True)
class DataCase:
    """One pass over a small set. longest: side that pages are resized to, pixels; None leaves them as they are.

    samples: how many. wanted: times PaddleOCR's rate that the project promises. frame: (width, height) of the tensor
    where PaddleOCR's sampler decides it. hidden: for tests, not part of a full run.
    """

    name: str
    config: str
    samples: int
    wanted: float
    longest: int | None = None
    frame: tuple[int, int] | None = None
    hidden: bool = False

    @property
    def kind(self) -> Literal["det", "rec"]:
        return "det" if self.config.startswith("det/") else "rec"


DATA = (
    DataCase("det-v2-native", V2_DET, 24, 6),
    DataCase("det-v2-1280", V2_DET, 24, 6, longest=1280),
    DataCase("det-v2-4000", V2_DET, 8, 12, longest=4000),
    DataCase("det-v4-native", V4_DET, 24, 6),
    DataCase("det-v4-1280", V4_DET, 24, 6, longest=1280),
    DataCase("det-v4-4000", V4_DET, 8, 12, longest=4000),
    DataCase("rec-v2", V2_REC, 400, 8),
    DataCase("rec-v4", V4_REC, 400, 8, frame=(320, 48)),
    DataCase("det-tiny", V4_DET, 2, 0, longest=400, hidden=True),
    DataCase("rec-tiny", V4_REC, 4, 0, frame=(320, 48), hidden=True),
)
