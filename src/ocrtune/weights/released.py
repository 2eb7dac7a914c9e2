"""A released model as a PyTorch network, without a config: what the catalogue's entry describes, built and filled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from ocrtune.config.registries import Registries, read_components
from ocrtune.config.schema import Architecture
from ocrtune.core.charset import Charset
from ocrtune.core.errors import ConfigError
from ocrtune.core.options import Findings, parse_options
from ocrtune.models.build import build_model
from ocrtune.models.registry import backbones, heads, necks
from ocrtune.weights import catalogue
from ocrtune.weights.load import load_weights
from ocrtune.weights.report import LoadReport


def build_released(name: str) -> tuple[nn.Module, Charset | None]:
    """The untrained network of a catalogue entry, in train mode, and its dictionary (None for detection)."""
    entry = catalogue.find(name)
    charset = catalogue.charset_of(entry) if entry.task == "rec" else None
    return build_section(entry.architecture, charset), charset


def build_section(section: Mapping[str, Any], charset: Charset | None) -> nn.Module:
    """The untrained network of an ``Architecture`` section as YAML holds it. ConfigError lists every problem."""
    findings = Findings()
    registries = Registries(backbones=backbones, necks=necks, heads=heads)
    sections = read_components({"Architecture": section}, registries, findings)
    architecture = parse_options(Architecture, sections["Architecture"], "Architecture", findings)
    if architecture is None or findings.problems:
        raise ConfigError(findings.problems)
    return build_model(architecture, charset)


def load_released(name: str) -> tuple[nn.Module, Charset | None, LoadReport]:
    """The network of a catalogue entry filled with its weights, in eval mode, its dictionary and the report."""
    model, charset = build_released(name)
    report = load_weights(model, name, charset=charset)
    return model.eval(), charset, report
