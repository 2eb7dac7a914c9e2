"""Choose the thresholds of DB for a trained detector: the best ones depend on how tightly its labels are drawn."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ocrtune.codec.db import DBPostProcess
from ocrtune.codec.image import Scale
from ocrtune.config.component import Component
from ocrtune.config.writer import save_config
from ocrtune.core.errors import ConfigError, Problem
from ocrtune.core.records import Sample
from ocrtune.data.loader import build_loader
from ocrtune.metrics.detection import DetMetric
from ocrtune.training.batches import images_on
from ocrtune.training.checkpoint import CONFIG, write_file
from ocrtune.training.data import evaluation_labels
from ocrtune.training.logs import Bar
from ocrtune.training.precision import choose_device, placed
from ocrtune.training.run_folder import LoadedRun, load_run
from ocrtune.training.single import single, with_decoder

TUNING = "tune.json"
IMAGES = 200
"""Most validation images whose probability maps are kept in memory (2 bytes a pixel)."""

GRID: dict[str, tuple[Any, ...]] = {
    "box_thresh": (0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8),
    "unclip_ratio": (1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 2.0, 2.3),
    "thresh": (0.2, 0.25, 0.3, 0.35, 0.4, 0.5),
    "use_dilation": (False, True),
}


@dataclass(frozen=True)
class Page:
    """A probability map (H, W) float16, how it relates to its image, and the label."""

    probability: NDArray[np.float16]
    scale: Scale
    sample: Sample


@dataclass(frozen=True)
class Tuning:
    """The settings before and after, with their metrics on ``images`` validation images; ``tried`` settings in all."""

    images: int
    tried: int
    before: DBPostProcess
    after: DBPostProcess
    metrics_before: dict[str, float]
    metrics_after: dict[str, float]


def tune_run(
    folder: Path | str, *, device: str | None = None, images: int = IMAGES, say: Callable[[str], None] = print
) -> Tuning:
    """Search the settings of ``PostProcess`` on the run's validation images and write the best into its config.yml.

    Of a distilled run the network of ``Metric.key`` is measured. What was measured goes into ``tune.json``.

    ``eval`` and ``export`` of the run use them from then on. The network runs once per image. Few images mean a choice
    that fits them by chance: say() warns below 50. Raises ConfigError for a recognition run.
    """
    folder = Path(folder)
    whole = load_run(folder)
    run = single(whole)
    settings = run.config.postprocess.options
    if not isinstance(settings, DBPostProcess):
        raise ConfigError(Problem(str(folder), "a recognition run has no thresholds to tune", "give a detection run"))
    pages = list(_pages(run, choose_device(device), images))
    if len(pages) < 50:
        say(f"note: only {len(pages)} validation images; small differences between settings are chance")
    tuning = search(pages, settings)
    if tuning.after != tuning.before:
        chosen = Component(run.config.postprocess.name, tuning.after, tuning.after.to_dict())
        save_config(with_decoder(whole.config, chosen), folder / CONFIG)
        step = run.score.step if run.score is not None else None
        content = {
            "step": step,
            "images": tuning.images,
            "settings": tuning.after.to_dict(),
            "metrics": tuning.metrics_after,
            "before": {"settings": tuning.before.to_dict(), "metrics": tuning.metrics_before},
        }
        write_file(folder / TUNING, (json.dumps(content, indent=1) + "\n").encode())
    return tuning


def measured_with(folder: Path, run: LoadedRun) -> tuple[dict[str, float], str]:
    """The metrics of ``run``, of a run folder, with the settings that its config has now; and a note about them.

    Those that training stored were measured before :func:`tune_run` changed the settings. Where it did: its own, if
    they are of these weights, else none.
    """
    stored = dict(run.score.metrics) if run.score is not None else {}
    options = run.config.postprocess.options
    if not isinstance(options, DBPostProcess) or not (folder / TUNING).is_file():
        return stored, ""
    found = json.loads((folder / TUNING).read_text(encoding="utf-8"))
    if found["settings"] != options.to_dict():
        return stored, ""
    if run.score is not None and found["step"] == run.score.step:
        return found["metrics"], f"the metrics are those of 'ocrtune tune' on {found['images']} validation images"
    return {}, "no metrics: these weights were not measured with the settings that 'ocrtune tune' chose"


def search(pages: Sequence[Page], start: DBPostProcess) -> Tuning:
    """Change one setting at a time to its best value in ``GRID``, until no change raises hmean on ``pages``."""
    known: dict[DBPostProcess, dict[str, float]] = {}

    def hmean(settings: DBPostProcess) -> float:
        if settings not in known:
            known[settings] = measure(pages, settings)
        return known[settings]["hmean"]

    best, settled = start, False
    while not settled:
        previous = best
        for name, values in GRID.items():
            best = max([best, *(replace(best, **{name: value}) for value in values)], key=hmean)
        settled = best == previous
    return Tuning(len(pages), len(known), start, best, known[start], known[best])


def measure(pages: Sequence[Page], settings: DBPostProcess) -> dict[str, float]:
    """precision, recall, hmean and counts of ``settings`` on ``pages``."""
    metric = DetMetric()
    for page in pages:
        metric.update([settings(page.probability.astype(np.float32), page.scale)], [page.sample])
    return metric.compute()


def _pages(run: LoadedRun, device: torch.device, images: int) -> Iterator[Page]:
    labels = evaluation_labels(run.config)
    count = min(images, len(labels))
    spread = {i * len(labels) // count for i in range(count)}
    labels = labels.without([i for i in range(len(labels)) if i not in spread])
    seed = run.config.global_options.seed
    loader = build_loader(labels, run.config.eval, task="det", seed=seed, training=False)
    model = placed(run.model, device)
    with torch.inference_mode(), Bar(count, "image", keep=False) as bar:
        for batch in loader:
            maps = model(images_on(batch, device))["shrink"][:, 0].to(torch.float16).cpu().numpy()
            yield from (Page(*parts) for parts in zip(maps, batch.meta, batch.samples, strict=True))
            bar.advance(by=len(batch))
