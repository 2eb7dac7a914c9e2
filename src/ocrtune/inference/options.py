"""What a user may change when predicting, under PaddleOCR's names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ocrtune.core.errors import ConfigError, Problem
from ocrtune.inference.session import EngineName


@dataclass(frozen=True)
class PredictOptions:
    """None means: as the model card says.

    det_db_thresh: a pixel above this probability (0..1) is text. det_db_box_thresh: least mean probability of a box.
    det_db_unclip_ratio: how far a box is grown; larger is larger. use_dilation: thicken the text mask first.
    det_db_score_mode: "fast" scores the rectangle around a box, "slow" its exact outline.
    det_limit_side_len, det_limit_type: pixels of the longer ("max") or shorter ("min") side the page is scaled to.
    max_batch_size: most crops per forward pass of the recogniser; pages are detected one by one, because pages
        differ in size and one page already fills a CPU.
    rec_image_shape: (3, height, smallest width). rec_char_dict_path: for files that carry no dictionary.
    use_space_char: whether that dictionary is followed by a space class; None: what the number of classes says.
    drop_score: texts below this recognition score are left out. turn_tall: lay tall crops on their side.
    both_ways: read each crop upside down as well and keep the surer text, in twice the time: for lines that may stand
        on their head.
    language_labels, language_words: read with what the texts of a recognition label file and a list of words say
        (:func:`ocrtune.codec.language.read_language`).
    threads: per model; None: one per core this process may use.
    """

    det_db_thresh: float | None = None
    det_db_box_thresh: float | None = None
    det_db_unclip_ratio: float | None = None
    use_dilation: bool | None = None
    det_db_score_mode: Literal["fast", "slow"] | None = None
    det_limit_side_len: int | None = None
    det_limit_type: Literal["max", "min", "resize_long"] | None = None
    max_batch_size: int = 10
    rec_image_shape: tuple[int, int, int] | None = None
    rec_char_dict_path: Path | None = None
    use_space_char: bool | None = None
    drop_score: float = 0.5
    turn_tall: bool = True
    both_ways: bool = False
    language_labels: Path | None = None
    language_words: Path | None = None
    engine: EngineName = "onnxruntime"
    threads: int | None = None
    pictures: bool = True
    font_path: Path | None = None

    def __post_init__(self) -> None:
        """ConfigError for every number that means nothing."""
        problems: list[Problem | str] = []
        for name in ("det_db_thresh", "det_db_box_thresh", "drop_score"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                problems.append(Problem(f"--{name}", f"got {value:g}, expected a number from 0 to 1"))
        for name in ("max_batch_size", "det_limit_side_len", "threads"):
            value = getattr(self, name)
            if value is not None and value < 1:
                problems.append(Problem(f"--{name}", f"got {value}, expected at least 1"))
        if problems:
            raise ConfigError(problems)

    def db_overrides(self) -> dict[str, object]:
        """The given DB settings under the codec's names."""
        names = {
            "thresh": self.det_db_thresh,
            "box_thresh": self.det_db_box_thresh,
            "unclip_ratio": self.det_db_unclip_ratio,
            "use_dilation": self.use_dilation,
            "score_mode": self.det_db_score_mode,
        }
        return {name: value for name, value in names.items() if value is not None}

    def resize_overrides(self) -> dict[str, object]:
        """The given detection scale under the codec's names."""
        names = {"limit_side_len": self.det_limit_side_len, "limit_type": self.det_limit_type}
        return {name: value for name, value in names.items() if value is not None}
