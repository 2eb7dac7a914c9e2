"""``Metric`` of a distillation: the same metric for each network, and the network that picks the best checkpoint.

Source: PaddleOCR ppocr/metrics/distillation_metric.py at 79f652f5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ocrtune.config.component import Component
from ocrtune.core.charset import Charset
from ocrtune.core.options import Findings, divided, parse_fields
from ocrtune.metrics.registry import metrics


@dataclass(frozen=True)
class _Keys:
    base_metric_name: Literal["DetMetric", "RecMetric"]
    key: str


@dataclass(frozen=True)
class DistillationMetricOptions:
    """key: the network whose metric picks the best checkpoint, and which is exported.

    base: the metric of one network; in YAML ``base_metric_name`` and its keys, such as ``main_indicator``.
    """

    key: str
    base: Component

    @classmethod
    def parse(cls, raw: Mapping[str, Any], where: str, findings: Findings) -> DistillationMetricOptions | None:
        """Divide the keys."""
        own, others = divided(raw, _Keys)
        keys = parse_fields(_Keys, own, where, findings)
        if keys is None:
            return None
        options = metrics.parse(keys.base_metric_name, others, where, findings)
        return None if options is None else cls(keys.key, Component(keys.base_metric_name, options, others))

    def networks(self) -> frozenset[str]:
        """The network that decides."""
        return frozenset([self.key])


@metrics.register("DistillationMetric", DistillationMetricOptions)
def build_metric(options: DistillationMetricOptions, charset: Charset | None = None) -> Any:
    """The metric of one network."""
    factory = metrics.get(options.base.name).factory
    return factory(options.base.options) if charset is None else factory(options.base.options, charset)
