"""The four networks of the first release, spelled as in PaddleOCR's YAML, and smaller ones for quick tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ocrtune.core.charset import Charset
from ocrtune.core.options import Findings
from ocrtune.core.registry import Registry
from ocrtune.models.build import build_model
from ocrtune.models.registry import backbones, heads, necks


@dataclass
class Part:
    name: str
    options: Any


@dataclass
class Architecture:
    model_type: str
    backbone: Part
    neck: Part | None
    head: Part


def parse(registry: Registry[nn.Module], raw: dict[str, Any]) -> Part:
    """``{"name": ..., options}`` as the config would parse it; fails on any problem."""
    findings = Findings()
    options = registry.parse(
        raw["name"], {k: v for k, v in raw.items() if k != "name"}, f"Architecture.{registry.kind}", findings
    )
    assert not findings.problems, findings.problems
    return Part(raw["name"], options)


def architecture(model_type: str, backbone: dict, neck: dict | None, head: dict) -> Architecture:
    parts = parse(backbones, backbone), neck and parse(necks, neck), parse(heads, head)
    return Architecture(model_type, *parts)


def charset(characters: int) -> Charset:
    """``characters`` characters from the Chinese block."""
    return Charset([chr(0x4E00 + i) for i in range(characters)])


def multi_head(nrtr: dict | None, neck: dict | None = None, head: dict | None = None) -> dict:
    neck = neck or {"name": "lightsvtr", "dims": 120, "depth": 2, "mlp_ratio": 2.0, "local_kernel": 7}
    ctc = {"CTCHead": {"Neck": neck, "Head": head or {"fc_decay": 1e-5}}}
    return {"name": "MultiHead", "head_list": [ctc, *([{"NRTRHead": nrtr}] if nrtr else [])]}


V2_REC = architecture(
    "rec",
    {"name": "MobileNetV1Enhance", "scale": 0.5},
    {"name": "SequenceEncoder", "encoder_type": "rnn", "hidden_size": 64},
    {"name": "CTCHead", "mid_channels": 96, "fc_decay": 0.00002},
)
V2_DET = architecture(
    "det",
    {"name": "MobileNetV3", "scale": 0.5, "model_name": "large", "disable_se": True},
    {"name": "DBFPN", "out_channels": 96},
    {"name": "DBHead", "k": 50},
)
V6_DET = architecture(
    "det",
    {"name": "PPLCNetV4", "det": True, "model_size": "small"},
    {"name": "UniRepLKFPN", "out_channels": 96, "dilated_kernel_size": 7, "shortcut": True},
    {"name": "DBHead", "k": 50, "fix_nan": True, "aux_in_channels": 96},
)
V6_REC = architecture(
    "rec",
    {"name": "PPLCNetV4", "model_size": "small"},
    None,
    multi_head({"nrtr_dim": 384, "max_text_length": 25}),
)
V6_TINY_REC = architecture(
    "rec",
    {"name": "PPLCNetV4", "model_size": "tiny"},
    None,
    multi_head({"nrtr_dim": 64}, neck={"name": "reshape"}, head={"mid_channels": 80, "use_guide": True}),
)
NAMED = {"v2_rec": V2_REC, "v2_det": V2_DET, "v6_det": V6_DET, "v6_rec": V6_REC, "v6_tiny_rec": V6_TINY_REC}
HEIGHTS = {"v2_rec": 32, "v2_det": 64, "v6_det": 64, "v6_rec": 48, "v6_tiny_rec": 48}


def build(name: str, characters: int = 30) -> nn.Module:
    """One of ``NAMED`` with a small dictionary."""
    chosen = NAMED[name]
    return build_model(chosen, charset(characters) if chosen.model_type == "rec" else None)


def shaken(module: nn.Module) -> nn.Module:
    """``module`` in float64 and eval mode, with parameters and BatchNorm statistics as after some training."""
    generator = torch.Generator().manual_seed(0)
    module = module.double().eval()
    with torch.no_grad():
        for name, value in module.state_dict().items():
            if name.endswith("running_var"):
                value.uniform_(0.5, 1.5, generator=generator)
            elif value.is_floating_point():
                value.add_(torch.randn(value.shape, generator=generator, dtype=value.dtype), alpha=0.1)
    return module
