"""``Global.use_tensorboard``: the numbers of ``train.jsonl`` as curves, in the run's folder ``tensorboard``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ocrtune.core.errors import ConfigError, Problem

FOLDER = "tensorboard"
_PREFIX = {"step": "train"}  # event of the journal: group of curves, where they differ
_NO_CURVES = ("step", "epoch")


def require_tensorboard() -> None:
    """ConfigError where the package is missing: before training, not after it."""
    try:
        import torch.utils.tensorboard  # noqa: F401  # only tried: it fails where tensorboard is missing or broken
    except ImportError as error:
        fix = "pip install 'ocrtune[tensorboard]', or leave the key out: the numbers are in train.jsonl too"
        raise ConfigError(Problem("Global.use_tensorboard", "tensorboard is not installed", fix)) from error


class TensorBoard:
    """Writes the events of a journal; a context manager.

    folder: the run folder. first_step: of this process; what an interrupted one wrote from there on is hidden.
    """

    def __init__(self, folder: Path, first_step: int):
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder / FOLDER), purge_step=first_step)

    def write(self, event: str, values: Mapping[str, Any]) -> None:
        """Every number of an event that belongs to a step: ``train/loss``, ``train/lr``, ``eval/acc``..."""
        if "step" not in values:
            return
        numbers = {**values, **values.get("metrics", {})}
        for name, value in numbers.items():
            if isinstance(value, (int, float)) and not isinstance(value, bool) and name not in _NO_CURVES:
                tag = f"{_PREFIX.get(event, event)}/{name}"
                self._writer.add_scalar(tag, value, values["step"])
        self._writer.flush()

    def __enter__(self) -> TensorBoard:
        return self

    def __exit__(self, *exception: object) -> None:
        self._writer.close()
