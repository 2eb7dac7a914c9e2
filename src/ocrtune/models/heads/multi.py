"""CTC with an optional guiding decoder (PaddleOCR ``ppocr/modeling/heads/rec_multi_head.py``, 79f652f5)."""

# calling an nn.Module is untyped
# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from ocrtune.core.charset import Charset
from ocrtune.core.options import Findings, parse_options
from ocrtune.models.heads import ctc, nrtr
from ocrtune.models.necks import sequence
from ocrtune.models.registry import heads


@dataclass(frozen=True)
class Options:
    """ctc: the CTC branch; ctc_neck: its encoder; nrtr: the guiding decoder, None when there is none.

    In YAML ``head_list`` is a list of ``CTCHead: {Neck: {name: ...}, Head: {...}}`` and ``NRTRHead: {...}``.
    """

    ctc: ctc.Options
    ctc_neck: sequence.Options
    nrtr: nrtr.Options | None = None

    def __post_init__(self) -> None:
        stopped = self.ctc.use_guide or getattr(self.ctc_neck.encoder, "use_guide", False)
        if stopped and self.nrtr is None:
            raise ValueError("use_guide without an NRTRHead: nothing would train the backbone; remove use_guide")

    @classmethod
    def parse(cls, raw: Any, where: str, findings: Findings) -> Options | None:
        """PaddleOCR's ``{head_list: [{CTCHead: ...}, {NRTRHead: ...}]}`` -> options."""
        branches = _branches(raw, where, findings)
        if branches is None:
            return None
        place = f"{where}.head_list.CTCHead"
        before = len(findings.problems)
        unknown = [key for key in branches["CTCHead"] if key not in ("Neck", "Head")]
        for key in unknown:
            findings.problem(f"{place}.{key}", "unknown key", "known: Head, Neck")
        neck = sequence.parse_encoder(branches["CTCHead"].get("Neck"), "name", f"{place}.Neck", findings)
        head = parse_options(ctc.Options, branches["CTCHead"].get("Head"), f"{place}.Head", findings)
        guide = None
        if "NRTRHead" in branches:
            guide = parse_options(nrtr.Options, branches["NRTRHead"], f"{where}.head_list.NRTRHead", findings)
        if len(findings.problems) > before or neck is None or head is None:
            return None
        try:
            return cls(head, neck, guide)
        except ValueError as error:
            findings.problem(f"{where}.head_list", str(error))
            return None


def _branches(raw: Any, where: str, findings: Findings) -> dict[str, Mapping[str, Any]] | None:
    """``head_list`` as name -> options of each branch; None when it is not PaddleOCR's form."""
    if not isinstance(raw, Mapping) or set(raw) != {"head_list"} or not isinstance(raw["head_list"], (list, tuple)):
        findings.problem(where, "expected the key head_list with a list, and nothing else")
        return None
    found: dict[str, Mapping[str, Any]] = {}
    before = len(findings.problems)
    for index, item in enumerate(raw["head_list"]):
        place = f"{where}.head_list[{index}]"
        if not isinstance(item, Mapping) or len(item) != 1:
            findings.problem(place, "expected one head name with its options")
            continue
        ((name, options),) = item.items()
        if name not in ("CTCHead", "NRTRHead"):
            findings.problem(place, f"no branch is called '{name}'", "known: CTCHead, NRTRHead")
        elif name in found:
            findings.problem(place, f"{name} is given twice")
        elif not isinstance(options, Mapping) and options is not None:
            findings.problem(place, f"expected keys and values for {name}")
        else:
            found[name] = options or {}
    if len(findings.problems) == before and "CTCHead" not in found:
        findings.problem(f"{where}.head_list", "CTCHead is missing", "inference uses the CTC branch")
    return found if len(findings.problems) == before else None


@heads.register("MultiHead", Options)
class MultiHead(nn.Module):
    """(N, C, 1, W) -> ``ctc`` (N, T, classes); in training with NRTR also ``nrtr`` (N, L, nrtr classes)."""

    reads = "map"

    gtc_head: nn.Module | None

    def __init__(self, options: Options, in_channels: int, charset: Charset):
        super().__init__()
        self.ctc_encoder = sequence.SequenceEncoder(options.ctc_neck, in_channels)
        self.ctc_head = ctc.CTCHead(options.ctc, self.ctc_encoder.out_channels, charset)
        self.register_module("gtc_head", None)
        if options.nrtr is not None:
            self.before_gtc = nn.Sequential(nn.Flatten(2), nrtr.ColumnProjection(in_channels, options.nrtr.nrtr_dim))
            self.gtc_head = nrtr.NRTRDecoder(options.nrtr, charset)

    def forward(self, features: Tensor, targets: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
        """``targets["nrtr"]`` (N, L) is needed in training when there is an NRTR branch."""
        outputs = self.ctc_head(self.ctc_encoder(features))
        if self.training and self.gtc_head is not None:
            outputs["nrtr"] = self.gtc_head(self.before_gtc(features), targets)
        return outputs
