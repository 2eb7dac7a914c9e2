"""``Global.save_epoch_step``: the weights after every so many epochs, besides the best and the latest ones."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ocrtune.training.checkpoint import LATEST, write_file

_NAME = re.compile(r"iter_epoch_(\d+)\.safetensors")


@dataclass(frozen=True)
class Snapshots:
    """``iter_epoch_N.safetensors`` after each epoch N that ``every`` divides, as PaddleOCR calls and times them.

    They hold weights alone, the averaged ones of a run that averages: to evaluate, to export, to start a new run. keep:
    only the so many last ones stay; None keeps all. every None: one per epoch with ``keep``, none at all without.
    """

    folder: Path
    every: int | None
    keep: int | None

    def take(self, epoch: int) -> None:
        """After epoch number ``epoch``, from 1, whose weights ``latest.safetensors`` holds: copy them if it is due."""
        every = self.every or (1 if self.keep else None)
        if every is None or epoch % every:
            return
        write_file(self.folder / f"iter_epoch_{epoch}.safetensors", (self.folder / LATEST).read_bytes())
        if self.keep is not None:
            for path in self._all()[: -self.keep]:
                path.unlink(missing_ok=True)

    def _all(self) -> list[Path]:
        """By epoch, the last one last."""
        found = [(int(match[1]), path) for path in self.folder.iterdir() if (match := _NAME.fullmatch(path.name))]
        return [path for _, path in sorted(found)]
