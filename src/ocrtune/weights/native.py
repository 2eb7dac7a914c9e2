"""Our own weights files: safetensors with PyTorch's parameter names and string metadata. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ocrtune.core.charset import Charset
from ocrtune.core.errors import Problem, WeightsError
from ocrtune.core.files import write_whole

SUFFIX = ".safetensors"
_CHARACTER, _SPACE = "character", "use_space_char"


def read_native(path: Path | str) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """(tensors, metadata) of a safetensors file. WeightsError when missing, damaged or of a type numpy lacks."""
    from safetensors import SafetensorError, safe_open

    where = str(path)
    if not Path(path).is_file():
        raise WeightsError(Problem(where, "no such file"))
    try:
        with safe_open(where, framework="numpy") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118  # no mapping
    except (SafetensorError, OSError, TypeError) as error:
        raise WeightsError(Problem(where, f"not a complete safetensors file ({error})")) from error


def write_native(path: Path | str, tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> None:
    """Write ``tensors`` and ``metadata``; the file appears whole or not at all. WeightsError when it cannot be."""
    from safetensors.numpy import save

    path = Path(path)
    content = save({name: np.asarray(value, order="C") for name, value in tensors.items()}, dict(metadata))
    try:
        write_whole(path, content)
    except OSError as error:
        raise WeightsError(Problem(str(path), f"cannot write the weights ({error.strerror})")) from error


def charset_metadata(charset: Charset) -> dict[str, str]:
    """What :func:`write_native` must store so that the file knows its dictionary."""
    lines = charset.characters[:-1] if charset.use_space_char else charset.characters
    return {_CHARACTER: "\n".join(lines), _SPACE: "true" if charset.use_space_char else "false"}


def charset_from_metadata(metadata: Mapping[str, str], where: str) -> Charset | None:
    """The inverse of :func:`charset_metadata`; None when the file carries no dictionary."""
    if _CHARACTER not in metadata:
        return None
    return Charset.from_lines(metadata[_CHARACTER].split("\n"), metadata.get(_SPACE) == "true", where)
