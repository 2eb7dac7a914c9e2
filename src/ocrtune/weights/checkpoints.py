"""PaddleOCR's official training checkpoints: their names, where they are, and the cache they are kept in.

Unlike inference files they hold what training needs (DB's threshold branch, guidance heads, unfolded BatchNorm).
Addresses: the ``*_pretrained.pdparams`` family of PaddleOCR's configs and module pages; the ``.tar`` files of its model
lists (docs/version2.x/ppocr/model_list.md). PaddleOCR publishes no checksums.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ocrtune.core.errors import Problem, WeightsError, did_you_mean

_ECOLOGY = "https://paddle-model-ecology.bj.bcebos.com/paddlex/official_pretrained_model"
_PADDLEOCR = "https://paddleocr.bj.bcebos.com"
_SUFFIX = "_pretrained"
_LANGUAGES = ("arabic", "chinese_cht", "cyrillic", "devanagari", "japan", "ka", "korean", "latin", "ta", "te")
_FAMILY = (
    *(f"PP-OCRv6_{size}_{task}" for size in ("tiny", "small", "medium") for task in ("det", "rec")),
    *(f"PP-OCRv{n}_{size}_{task}" for n in (4, 5) for size in ("mobile", "server") for task in ("det", "rec")),
    *("PP-OCRv4_server_rec_doc", "PP-OCRv4_mobile_seal_det", "PP-OCRv4_server_seal_det", "en_PP-OCRv4_mobile_rec"),
    *("PP-OCRv3_mobile_det", "PP-OCRv3_server_det", "PP-OCRv3_mobile_rec"),
    *(f"{language}_PP-OCRv3_mobile_rec" for language in ("en", *_LANGUAGES)),
)
_TARS = (
    *("dygraph_v2.0/ch/ch_ppocr_mobile_v2.0_det_train", "dygraph_v2.0/ch/ch_ppocr_mobile_v2.0_rec_train"),
    *("dygraph_v2.0/ch/ch_ppocr_server_v2.0_det_train", "dygraph_v2.0/ch/ch_ppocr_server_v2.0_rec_train"),
    *("dygraph_v2.0/en/det_mv3_db_v2.0_train", "dygraph_v2.0/en/det_r50_vd_db_v2.0_train"),
    *("PP-OCRv2/chinese/ch_PP-OCRv2_det_distill_train", "PP-OCRv2/chinese/ch_PP-OCRv2_rec_train"),
    *("PP-OCRv3/chinese/ch_PP-OCRv3_det_distill_train", "PP-OCRv3/chinese/ch_PP-OCRv3_rec_train"),
    *("PP-OCRv3/english/en_PP-OCRv3_det_distill_train", "PP-OCRv3/english/en_PP-OCRv3_rec_train"),
    "PP-OCRv3/multilingual/Multilingual_PP-OCRv3_det_distill_train",
    *(f"PP-OCRv3/multilingual/{language}_PP-OCRv3_rec_train" for language in _LANGUAGES),
    *("PP-OCRv4/chinese/ch_PP-OCRv4_rec_train", "PP-OCRv4/chinese/ch_PP-OCRv4_rec_server_train"),
    "PP-OCRv4/english/en_PP-OCRv4_rec_train",
)


@dataclass(frozen=True)
class Checkpoint:
    """One file on PaddleOCR's servers: ``.pdparams``, or ``.tar`` with several of them.

    sha256: None where upstream publishes none; it is then recorded at the first download and checked from then on.
    """

    name: str
    url: str
    sha256: str | None = None

    @property
    def file_name(self) -> str:
        """The last part of the address."""
        return self.url.rpartition("/")[2]

    def folder(self) -> Path:
        """Where it is kept: ``OCRTUNE_CACHE``, or ``ocrtune`` in the user's cache folder (``XDG_CACHE_HOME``)."""
        return cache_folder() / "weights" / self.name


def cache_folder() -> Path:
    """The folder for everything that is fetched; it need not exist."""
    if chosen := os.environ.get("OCRTUNE_CACHE"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")  # a relative one is to be ignored, says the XDG specification
    return (Path(base) if base and Path(base).is_absolute() else Path.home() / ".cache") / "ocrtune"


def names() -> list[str]:
    """All names that :func:`find` knows, sorted."""
    return sorted(_TABLE)


def find(name: str) -> Checkpoint:
    """The checkpoint called ``name``; ``_pretrained`` may be left out. WeightsError with the closest name otherwise."""
    found = _TABLE.get(name) or _TABLE.get(name + _SUFFIX)
    if found is None:
        raise WeightsError(Problem(name, "no official checkpoint has this name", did_you_mean(name, _TABLE)))
    return found


def fetched(name: str) -> Path | None:
    """The ``.pdparams`` of a checkpoint that is in the cache already; None when it is not, or is not known.

    Of a tar with several, ``best_accuracy`` is meant.
    """
    checkpoint = _TABLE.get(name)
    if checkpoint is None:
        return None
    found = weights_in(checkpoint.folder())
    return next((path for path in found if path.stem == "best_accuracy"), found[0] if found else None)


def names_in_cache() -> list[str]:
    """The names that can be loaded without a network, sorted."""
    return [name for name in names() if fetched(name) is not None]


def weights_in(folder: Path) -> list[Path]:
    """Every ``.pdparams`` under ``folder``, sorted."""
    return sorted(path for path in folder.rglob("*.pdparams") if path.is_file())


_TABLE: dict[str, Checkpoint] = {
    **{f"{name}{_SUFFIX}": Checkpoint(f"{name}{_SUFFIX}", f"{_ECOLOGY}/{name}{_SUFFIX}.pdparams") for name in _FAMILY},
    **{path.rpartition("/")[2]: Checkpoint(path.rpartition("/")[2], f"{_PADDLEOCR}/{path}.tar") for path in _TARS},
    "ch_PP-OCRv4_det_cml_teacher_pretrained": Checkpoint(
        "ch_PP-OCRv4_det_cml_teacher_pretrained",
        f"{_PADDLEOCR}/PP-OCRv4/chinese/ch_PP-OCRv4_det_cml_teacher_pretrained/teacher.pdparams",
    ),
}
