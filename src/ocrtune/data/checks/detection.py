"""Detection labels: polygons against their image."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from ocrtune.core.errors import Problem
from ocrtune.core.geometry import area
from ocrtune.core.records import Sample, TextInstance
from ocrtune.data.checks.images import check_images
from ocrtune.data.checks.report import CheckReport
from ocrtune.data.labels import LabelSet

ADVISED_IMAGES = 500  # PaddleOCR's fine-tuning guide
_TOLERANCE = 2  # pixels a polygon may reach over the edge without a word


def check_detection(labels: LabelSet, *, training: bool = True) -> CheckReport:
    """Missing and damaged images are problems; empty, off-image and repeated polygons are warnings."""
    report = CheckReport(labels)
    sizes = check_images(labels.samples, report.problems)
    report.labels = labels = replace(labels, sizes=sizes)
    for sample, (width, height) in zip(labels.samples, sizes):
        report.warnings += _check_polygons(sample, int(width), int(height))
    report.warnings += repeated_images(labels.samples)
    instances = [instance for sample in labels.samples for instance in sample.instances]
    report.counts = {
        "images": len(labels),
        "texts": sum(not instance.ignore for instance in instances),
        "ignored texts": sum(instance.ignore for instance in instances),
        "images without text": sum(not sample.instances for sample in labels.samples),
    }
    if training and len(labels) < ADVISED_IMAGES:
        advice = f"PaddleOCR's guide advises at least {ADVISED_IMAGES} images for detection"
        report.notes.append(f"{len(labels):,} images: {advice}.")
    return report


def repeated_images(samples: tuple[Sample, ...]) -> list[Problem]:
    """One warning per image that several lines name."""
    first: dict[str, str] = {}
    counts = Counter(str(sample.image_path) for sample in samples)
    for sample in samples:
        first.setdefault(str(sample.image_path), sample.source)
    return [Problem(first[path], f"{path} is on {count} lines") for path, count in counts.items() if count > 1]


def _check_polygons(sample: Sample, width: int, height: int) -> list[Problem]:
    warnings = []
    seen: set[bytes] = set()
    for i, instance in enumerate(sample.instances, start=1):
        what = _fault(instance, width, height)
        key = instance.polygon.tobytes()
        if not what and key in seen:
            what = "the same polygon occurs twice"
        seen.add(key)
        if what:
            warnings.append(Problem(f"{sample.source} text {i}", what))
    return warnings


def _fault(instance: TextInstance, width: int, height: int) -> str:
    low, high = instance.polygon.min(axis=0), instance.polygon.max(axis=0)
    if area(instance.polygon) < 1:
        return "the polygon has no area"
    if high[0] <= 0 or high[1] <= 0 or low[0] >= width or low[1] >= height:
        return f"the polygon lies outside the image ({width} x {height})"
    if low.min() < -_TOLERANCE or high[0] > width + _TOLERANCE or high[1] > height + _TOLERANCE:
        return f"the polygon reaches over the edge of the image ({width} x {height})"
    return ""
