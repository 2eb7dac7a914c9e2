"""``PostProcess`` of a distillation: which networks are decoded, all in the same way.

Source: PaddleOCR ppocr/postprocess/db_postprocess.py ``DistillationDBPostProcess`` and rec_postprocess.py
``DistillationCTCLabelDecode`` at 79f652f5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ocrtune.codec.ctc import CTCCodec, CTCLabelDecodeOptions, build_ctc_codec
from ocrtune.codec.db import DBPostProcess
from ocrtune.codec.registry import postprocessors
from ocrtune.config.component import Component
from ocrtune.core.charset import Charset
from ocrtune.core.options import Findings, divided, parse_fields


@dataclass(frozen=True)
class _Keys:
    """model_name: the networks. key, multi_head: accepted; PaddleOCR needs them to find an output."""

    model_name: tuple[str, ...]
    key: Literal["head_out", "maps"] | None = None
    multi_head: bool = False

    def __post_init__(self) -> None:
        if not self.model_name:
            raise ValueError("model_name is empty: which networks are evaluated?")


@dataclass(frozen=True)
class DistillationDBPostProcess:
    """model_name: the networks that are evaluated. decoder: the post-processing of one, from the other keys."""

    model_name: tuple[str, ...]
    decoder: Component

    @classmethod
    def parse(cls, raw: Mapping[str, Any], where: str, findings: Findings) -> DistillationDBPostProcess | None:
        """Divide the keys."""
        own, others = divided(_as_list(raw), _Keys)
        keys = parse_fields(_Keys, own, where, findings)
        decoder = parse_fields(DBPostProcess, others, where, findings)
        if keys is None or decoder is None:
            return None
        return cls(keys.model_name, Component("DBPostProcess", decoder, others))

    def networks(self) -> frozenset[str]:
        """The networks that are evaluated."""
        return frozenset(self.model_name)


@dataclass(frozen=True)
class DistillationCTCLabelDecode:
    """model_name: the networks that are evaluated. decoder: the post-processing of one, from the other keys."""

    model_name: tuple[str, ...]
    decoder: Component

    @classmethod
    def parse(cls, raw: Mapping[str, Any], where: str, findings: Findings) -> DistillationCTCLabelDecode | None:
        """Divide the keys."""
        own, others = divided(_as_list(raw), _Keys)
        keys = parse_fields(_Keys, own, where, findings)
        decoder = parse_fields(CTCLabelDecodeOptions, others, where, findings)
        if keys is None or decoder is None:
            return None
        return cls(keys.model_name, Component("CTCLabelDecode", decoder, others))

    def networks(self) -> frozenset[str]:
        """The networks that are evaluated."""
        return frozenset(self.model_name)


def _as_list(raw: Mapping[str, Any]) -> dict[str, Any]:
    """One name is accepted where a list is expected."""
    name = raw.get("model_name")
    return {**raw, "model_name": [name]} if isinstance(name, str) else dict(raw)


@postprocessors.register("DistillationDBPostProcess", DistillationDBPostProcess)
def build_db(options: DistillationDBPostProcess) -> DBPostProcess:
    """The decoder of each network."""
    decoder: DBPostProcess = options.decoder.options
    return decoder


@postprocessors.register("DistillationCTCLabelDecode", DistillationCTCLabelDecode)
def build_ctc(options: DistillationCTCLabelDecode, charset: Charset) -> CTCCodec:
    """The decoder of each network."""
    return build_ctc_codec(options.decoder.options, charset)
