"""PaddleOCR's YAML to a typed :class:`RunConfig`, and back."""

from ocrtune.config.architecture_schema import Architecture, Distillation, Network
from ocrtune.config.component import Component
from ocrtune.config.data_schema import (
    DataOptions,
    DatasetOptions,
    LoaderOptions,
    MultiScaleSampler,
    Sampler,
    WidthBucketSampler,
)
from ocrtune.config.loader import Loaded, load_config
from ocrtune.config.optimizer_schema import LearningRate, OptimizerOptions, Regularizer
from ocrtune.config.registries import Registries
from ocrtune.config.schema import GlobalOptions, RunConfig
from ocrtune.config.writer import save_config

__all__ = [
    "Architecture",
    "Component",
    "DataOptions",
    "DatasetOptions",
    "Distillation",
    "GlobalOptions",
    "LearningRate",
    "Loaded",
    "LoaderOptions",
    "MultiScaleSampler",
    "Network",
    "OptimizerOptions",
    "Registries",
    "Regularizer",
    "RunConfig",
    "Sampler",
    "WidthBucketSampler",
    "load_config",
    "save_config",
]
