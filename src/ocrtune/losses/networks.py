"""What the losses between several networks have in common: which networks, and which of their outputs.

The outputs of all networks are in one mapping, ``Student/ctc`` beside ``Teacher/ctc`` (``core.submodels``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from ocrtune.core.errors import Problem, TrainingError
from ocrtune.core.options import Findings
from ocrtune.core.submodels import SEPARATOR

Feature = Literal["backbone_out", "neck_out"]
Key = Literal["head_out", "maps", "backbone_out", "neck_out"]
HeadName = Literal["ctc", "gtc", "sar"]
MapName = Literal["thrink_maps", "threshold_maps", "binary_maps"]

_HEADS = {"ctc": "ctc", "gtc": "nrtr", "sar": "sar"}
MAPS = {"thrink_maps": "shrink", "threshold_maps": "threshold", "binary_maps": "binary"}
"""PaddleOCR's spelling of the three maps of DB -> the name of the output."""


@dataclass(frozen=True)
class Pairs:
    """``model_name_pairs``: the networks that are compared, two by two. In YAML one pair or a list of pairs."""

    pairs: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, raw: Any, where: str, findings: Findings) -> Pairs | None:
        """From ``[A, B]`` or ``[[A, B], [A, C]]``."""
        single = isinstance(raw, Sequence) and not isinstance(raw, str) and all(isinstance(name, str) for name in raw)
        pairs = [raw] if single else raw
        if not isinstance(pairs, Sequence) or isinstance(pairs, str) or not pairs or not all(map(_is_pair, pairs)):
            findings.problem(where, f"got {raw!r}, expected two names, or a list of such pairs")
            return None
        return cls(tuple((first, second) for first, second in pairs))

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.pairs)

    def networks(self) -> frozenset[str]:
        """Every network that is named."""
        return frozenset(name for pair in self.pairs for name in pair)


def _is_pair(raw: Any) -> bool:
    return isinstance(raw, (list, tuple)) and len(raw) == 2 and all(isinstance(name, str) for name in raw)


def output_name(key: Key | None, multi_head: bool, head: HeadName) -> str:
    """The output that a recognition loss reads: a feature, or the logits of a head.

    PaddleOCR nests its outputs; ``key`` and ``multi_head`` say there how deep. Here they only choose the name.
    """
    if key in ("backbone_out", "neck_out"):
        return key
    return _HEADS[head] if multi_head else "ctc"


def read(outputs: Mapping[str, Tensor], network: str, name: str) -> Tensor:
    """One output of one network, in float32. TrainingError that says what is missing."""
    found = outputs.get(f"{network}{SEPARATOR}{name}")
    if found is None:
        advice = {
            "backbone_out": f"set Architecture.Models.{network}.return_all_feats to true",
            "neck_out": f"set Architecture.Models.{network}.return_all_feats to true",
            "nrtr": "dis_head: gtc needs an NRTRHead in head_list, and multi_head: true",
            "sar": "dis_head: sar needs a SARHead in head_list, and multi_head: true",
        }
        fix = advice.get(name, "a frozen network gives only what inference gives")
        raise TrainingError(Problem("Loss", f"the network {network} gives no '{name}' to compare", fix))
    return found.float()


def summed(parts: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The parts, detached, with their sum under ``loss``."""
    values = list(parts.values())
    return {"loss": sum(values[1:], start=values[0]), **{name: part.detach() for name, part in parts.items()}}
