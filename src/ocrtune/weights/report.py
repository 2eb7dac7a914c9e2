"""What a load did, in full: nothing is skipped silently."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class LoadReport:
    """The result of :func:`ocrtune.weights.load.load_weights`. Tensor names are the PyTorch model's.

    loaded: filled with the file's values (layout changes such as a transposed Linear included).
    adapted: filled with values computed from the file's (name -> how), for example a folded BatchNorm.
    missing: tensors the model uses for inference that the file lacks; empty unless the load was partial.
    training_only: tensors inference never uses and the file lacks (prefix -> what it is); keep their initial values.
    unexpected: tensors of the file that nothing in the model wanted (the file's names).
    filled, wanted: parameters (numbers, not tensors) filled, and the model's without the training-only ones.
    """

    source: str
    loaded: tuple[str, ...]
    adapted: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    training_only: Mapping[str, str] = field(default_factory=dict)
    unexpected: tuple[str, ...] = ()
    filled: int = 0
    wanted: int = 0
    notes: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """Part of the wanted parameters that was filled, 0..1."""
        return self.filled / self.wanted if self.wanted else 0.0

    @property
    def complete(self) -> bool:
        """Whether every tensor that inference uses was filled."""
        return not self.missing and self.filled > 0

    def __str__(self) -> str:
        tensors = len(self.loaded) + len(self.adapted)
        lines = [f"{self.source}: {tensors} of {tensors + len(self.missing)} tensors, {100 * self.share:.1f} % of the "]
        lines[0] += f"parameters ({self.filled:,})"
        if self.adapted:
            counts: dict[str, int] = {}
            for how in self.adapted.values():
                counts[how] = counts.get(how, 0) + 1
            lines.append("adapted: " + "; ".join(f"{n} {how}" for how, n in counts.items()))
        if self.missing:
            lines.append(f"missing, freshly initialised: {_shorten(self.missing)}")
        if self.training_only:
            groups: dict[str, list[str]] = {}
            for name, what in self.training_only.items():
                groups.setdefault(what, []).append(name)
            parts = "; ".join(f"{', '.join(names)} ({what})" for what, names in groups.items())
            lines.append(f"not in the file, freshly initialised: {parts}")
        if self.unexpected:
            lines.append(f"in the file, not in the model: {_shorten(self.unexpected)}")
        lines.extend(self.notes)
        return "\n  ".join(lines)


def _shorten(names: tuple[str, ...], shown: int = 6) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more
