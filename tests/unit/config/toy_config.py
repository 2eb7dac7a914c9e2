"""A complete small configuration and toy registries, for the tests of the config room."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

from ocrtune.config import Registries
from ocrtune.core.options import Findings, ignored, parse_fields
from ocrtune.core.registry import Registry


@dataclass(frozen=True)
class BackboneOptions:
    scale: float = 1.0
    layers: tuple[int, ...] = (1, 2)
    pretrained: Any = ignored("Global.pretrained_model decides")


@dataclass(frozen=True)
class HeadOptions:
    """Its YAML form, ``heads: "a b"``, is not its field."""

    names: tuple[str, ...]

    @classmethod
    def parse(cls, raw: Any, where: str, findings: Findings) -> HeadOptions | None:
        keys = parse_fields(_HeadKeys, raw, where, findings)
        return keys and cls(tuple(keys.heads.split()))


@dataclass(frozen=True)
class _HeadKeys:
    heads: str = "a b"


@dataclass(frozen=True)
class CropOptions:
    size: tuple[int, int] = (640, 640)


def toy_registries() -> Registries:
    """One backbone, one head, one transform; the other kinds are left unchecked."""
    package = "toy_components"
    vars(sys.modules.setdefault(package, ModuleType(package)))["__path__"] = []  # a module with a path is a package
    backbones: Registry[Any] = Registry("backbone", package)
    backbones.register("TinyNet", BackboneOptions)(lambda options: options)
    heads: Registry[Any] = Registry("head", package)
    heads.register("TwinHead", HeadOptions)(lambda options: options)
    transforms: Registry[Any] = Registry("transform", package)
    transforms.register("Crop", CropOptions)(lambda options: options)
    transforms.register("Flip", CropOptions)(lambda options: options)
    return Registries(backbones=backbones, heads=heads, transforms=transforms, pretrained=("PP-OCRv6_small_rec",))


TOY = """
Global:
  epoch_num: &epochs 3
  save_model_dir: ./output/toy
  pretrained_model: PP-OCRv6_small_rec
  use_gpu: true
  max_text_length: 25
Architecture:
  model_type: rec
  algorithm: CRNN
  Transform:
  Backbone: {name: TinyNet, scale: 0.5}
  Head: {name: TwinHead, heads: "a b c"}
Loss: {name: CTCLoss}
Optimizer:
  name: Adam
  lr: {name: Cosine, learning_rate: 0.001, warmup_epoch: 0.5}
  regularizer: {name: L2, factor: 1e-6}
PostProcess: {name: CTCLabelDecode}
Metric: {name: RecMetric, main_indicator: acc}
Train:
  dataset:
    name: SimpleDataSet
    data_dir: DATA
    label_file_list: [DATA/train.txt]
    transforms:
      - Crop: {size: [320, 48]}
      - Flip:
  loader: {shuffle: true, batch_size_per_card: 8, num_workers: 0}
Eval:
  dataset:
    name: SimpleDataSet
    holdout: 0.1
    transforms:
      - Crop: {size: [320, 48]}
  loader: {batch_size_per_card: 8}
"""


def write_toy(folder: Path, text: str = TOY) -> Path:
    """The toy configuration and the label file it names, in ``folder``."""
    (folder / "train.txt").write_text("a.jpg\ttext\n", encoding="utf-8")
    path = folder / "toy.yml"
    path.write_text(text.replace("DATA", str(folder)), encoding="utf-8")
    return path


def toy_tree() -> dict[str, Any]:
    """The toy configuration as mappings."""
    return dict(yaml.safe_load(TOY))
