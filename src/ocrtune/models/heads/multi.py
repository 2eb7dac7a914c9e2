"""CTC with an optional guiding decoder (PaddleOCR ``ppocr/modeling/heads/rec_multi_head.py``, 79f652f5)."""

# calling an nn.Module is untyped
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ocrtune.core.charset import Charset
from ocrtune.core.options import Findings, parse_fields, parse_options
from ocrtune.models.heads import ctc, nrtr, sar
from ocrtune.models.necks import sequence
from ocrtune.models.registry import heads

_GUIDES: dict[str, type] = {"NRTRHead": nrtr.Options, "SARHead": sar.Options}
_POSITIONS = 80  # columns that have a learnt position; PaddleOCR's number


@dataclass(frozen=True)
class Options:
    """ctc: the CTC branch; ctc_neck: its encoder; guide: the guiding decoder, None when there is none.

    use_pool: average windows of 3 x 2 of the backbone's map first (SVTRNet without its last stage).
    use_pos: add a learnt position to the columns that the NRTR decoder reads.

    In YAML ``head_list`` is a list of ``CTCHead: {Neck: {name: ...}, Head: {...}}`` and ``NRTRHead: {...}`` or
    ``SARHead: {...}``.
    """

    ctc: ctc.Options
    ctc_neck: sequence.Options
    guide: nrtr.Options | sar.Options | None = None
    use_pool: bool = False
    use_pos: bool = False

    def __post_init__(self) -> None:
        if getattr(self.ctc_neck.encoder, "use_guide", False) and self.guide is None:
            raise ValueError(
                "use_guide without an NRTRHead or SARHead: nothing would train the backbone; remove use_guide"
            )

    @classmethod
    def parse(cls, raw: Any, where: str, findings: Findings) -> Options | None:
        """PaddleOCR's ``{head_list: [{CTCHead: ...}, {NRTRHead: ...}]}`` -> options."""
        keys = parse_fields(_Keys, raw, where, findings)
        branches = None if keys is None else _branches(keys.head_list, where, findings)
        if keys is None or branches is None:
            return None
        place = f"{where}.head_list.CTCHead"
        before = len(findings.problems)
        unknown = [key for key in branches["CTCHead"] if key not in ("Neck", "Head")]
        for key in unknown:
            findings.problem(f"{place}.{key}", "unknown key", "known: Head, Neck")
        neck = sequence.parse_encoder(branches["CTCHead"].get("Neck"), "name", f"{place}.Neck", findings)
        head = parse_options(ctc.Options, branches["CTCHead"].get("Head"), f"{place}.Head", findings)
        guide: Any = None
        for name in branches.keys() & _GUIDES.keys():
            guide = parse_options(_GUIDES[name], branches[name], f"{where}.head_list.{name}", findings)
        if len(findings.problems) > before or neck is None or head is None:
            return None
        try:
            return cls(head, neck, guide, keys.use_pool, keys.use_pos)
        except ValueError as error:
            findings.problem(f"{where}.head_list", str(error))
            return None


@dataclass(frozen=True)
class _Keys:
    head_list: list[Any]
    use_pool: bool = False
    use_pos: bool = False


def _branches(head_list: list[Any], where: str, findings: Findings) -> dict[str, Mapping[str, Any]] | None:
    """``head_list`` as name -> options of each branch; None when it is not PaddleOCR's form."""
    found: dict[str, Mapping[str, Any]] = {}
    before = len(findings.problems)
    for index, item in enumerate(head_list):
        place = f"{where}.head_list[{index}]"
        if not isinstance(item, Mapping) or len(item) != 1:
            findings.problem(place, "expected one head name with its options")
            continue
        ((name, options),) = item.items()
        if name != "CTCHead" and name not in _GUIDES:
            findings.problem(place, f"no branch is called '{name}'", f"known: CTCHead, {', '.join(_GUIDES)}")
        elif name in found:
            findings.problem(place, f"{name} is given twice")
        elif not isinstance(options, Mapping) and options is not None:
            findings.problem(place, f"expected keys and values for {name}")
        else:
            found[name] = options or {}
    if len(findings.problems) == before and "CTCHead" not in found:
        findings.problem(f"{where}.head_list", "CTCHead is missing", "inference uses the CTC branch")
    if _GUIDES.keys() <= found.keys():
        findings.problem(f"{where}.head_list", "two guiding heads", f"keep one of {', '.join(_GUIDES)}")
    return found if len(findings.problems) == before else None


class LearntPositions(nn.Module):
    """A vector per column is added; (N, W, C) -> (N, W, C), W at most 80."""

    def __init__(self, width: int):
        super().__init__()
        self.dec_pos_embed = nn.Parameter(torch.zeros(1, _POSITIONS, width))
        nn.init.trunc_normal_(self.dec_pos_embed, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        """(N, W, C) -> (N, W, C)."""
        return x + self.dec_pos_embed[:, : x.shape[1]]


@heads.register("MultiHead", Options)
class MultiHead(nn.Module):
    """(N, C, 1, W) -> ``ctc`` (N, T, classes); in training also ``nrtr`` or ``sar`` (N, L, classes of that head)."""

    reads = "map"

    gtc_head: nn.Module | None
    sar_head: nn.Module | None

    def __init__(self, options: Options, in_channels: int, charset: Charset):
        super().__init__()
        self.pool: nn.Module = nn.AvgPool2d((3, 2)) if options.use_pool else nn.Identity()
        self.ctc_encoder = sequence.SequenceEncoder(options.ctc_neck, in_channels)
        self.ctc_head = ctc.CTCHead(options.ctc, self.ctc_encoder.out_channels, charset)
        self.register_module("gtc_head", None)
        self.register_module("sar_head", None)
        if isinstance(options.guide, nrtr.Options):
            width = options.guide.nrtr_dim
            columns: list[nn.Module] = [nn.Flatten(2), nrtr.ColumnProjection(in_channels, width)]
            self.before_gtc = nn.Sequential(*columns, *([LearntPositions(width)] if options.use_pos else []))
            self.gtc_head = nrtr.NRTRDecoder(options.guide, charset)
        elif isinstance(options.guide, sar.Options):
            self.sar_head = sar.SARHead(options.guide, in_channels, charset)

    def forward(self, features: Tensor, targets: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
        """``targets["nrtr"]`` or ``targets["sar"]`` (N, L) is needed in training when there is such a branch.

        With targets the branch also answers in eval mode: so does a frozen teacher.
        """
        features = self.pool(features)
        outputs: dict[str, Tensor] = self.ctc_head(self.ctc_encoder(features))
        guided = self.training or targets is not None
        if guided and self.gtc_head is not None:
            outputs["nrtr"] = self.gtc_head(self.before_gtc(features), targets)
        if guided and self.sar_head is not None:
            outputs["sar"] = self.sar_head(features, targets)
        return outputs
