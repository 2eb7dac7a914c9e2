"""PaddleOCR's own transform lists on real images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from conftest_data import components, section

from ocrtune.config.data_schema import DataOptions
from ocrtune.core.charset import Charset
from ocrtune.data.labels import LabelSet, read_label_set
from ocrtune.data.loader import build_loader

DET = [("det/ch_PP-OCRv2/ch_PP-OCRv2_det_student.yml", 960), ("det/PP-OCRv6/PP-OCRv6_small_det.yml", 640)]
REC = [("rec/ch_PP-OCRv2/ch_PP-OCRv2_rec.yml", {32}), ("rec/PP-OCRv6/PP-OCRv6_small_rec.yml", {32, 48, 64})]


def read_section(shared: Path, config: str, name: str, labels: Path) -> DataOptions:
    raw: dict[str, Any] = yaml.safe_load((shared / "paddleocr-configs" / config).read_text(encoding="utf-8"))[name]
    steps = [(key, options or {}) for step in raw["dataset"].pop("transforms") for key, options in step.items()]
    raw["dataset"].update(data_dir=str(labels.parent), label_file_list=[str(labels)], ratio_list=1.0)
    raw["loader"].update(batch_size_per_card=8, num_workers=0)
    if "sampler" in raw:
        raw["sampler"]["first_bs"] = 8
    return section(raw, components(*steps))


def few(options: DataOptions, task: str, count: int) -> LabelSet:
    labels = read_label_set(options.dataset, "det" if task == "det" else "rec")
    return LabelSet.of([labels.samples[:count]])


@pytest.mark.parametrize(("config", "size"), DET)
def test_detection(shared: Path, config: str, size: int) -> None:
    options = read_section(shared, config, "Train", shared / "data" / "icdar2015" / "train.txt")
    [batch] = build_loader(few(options, "det", 8), options, task="det", seed=1, training=True)
    assert batch.image.shape == (8, 3, size, size)
    assert set(batch.targets) == {"threshold_map", "threshold_mask", "shrink_map", "shrink_mask"}
    assert batch.targets["shrink_map"].sum() > 0
    assert np.isfinite(batch.image.numpy()).all()


@pytest.mark.parametrize(("config", "size"), DET)
def test_detection_evaluation(shared: Path, config: str, size: int) -> None:
    options = read_section(shared, config, "Eval", shared / "data" / "icdar2015" / "test.txt")
    labels = few(options, "det", 2)
    batches = list(build_loader(labels, options, task="det", seed=1, training=False))
    height, width = (736, 1312) if size == 960 else (704, 1280)  # at least 736; at most 4000, and 22.5 * 32 is 704
    assert [batch.image.shape for batch in batches] == [(2, 3, height, width)]
    assert sorted(s.source for b in batches for s in b.samples) == sorted(s.source for s in labels.samples)


@pytest.mark.parametrize(("config", "heights"), REC)
def test_recognition(shared: Path, config: str, heights: set[int]) -> None:
    options = read_section(shared, config, "Train", shared / "data" / "icdar2015" / "rec_train.txt")
    charset = Charset([chr(code) for code in range(33, 127)], use_space_char=True)
    labels = few(options, "rec", 60)
    labels = labels.without([i for i, s in enumerate(labels.samples) if charset.missing(s.text or "")])
    batches = list(build_loader(labels, options, task="rec", seed=1, training=True, charset=charset))
    assert {batch.image.shape[2] for batch in batches} == heights
    assert {batch.image.shape[3] for batch in batches} == {320}
    wanted = {"ctc", "length", "valid_ratio"} | ({"nrtr"} if len(heights) > 1 else set())
    assert all(set(batch.targets) == wanted for batch in batches)


@pytest.mark.parametrize(("config", "heights"), REC)
def test_recognition_evaluation(shared: Path, config: str, heights: set[int]) -> None:
    options = read_section(shared, config, "Eval", shared / "data" / "icdar2015" / "rec_test.txt")
    labels = few(options, "rec", 40)
    batches = list(build_loader(labels, options, task="rec", seed=1, training=False))
    assert sorted(s.source for b in batches for s in b.samples) == sorted(s.source for s in labels.samples)
    assert {batch.image.shape[2] for batch in batches} == ({48} if len(heights) > 1 else {32})
    assert min(batch.image.shape[3] for batch in batches) == 320
