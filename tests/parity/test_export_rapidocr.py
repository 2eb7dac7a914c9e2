"""Run folder -> export -> the real rapidocr package, with the default weights and real labelled images.

The run folders hold the default weights as a training run saves them, so this covers the whole way: PyTorch model,
folding, ONNX, gate on labelled images, ``rapidocr.yaml``, RapidOCR.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import rapidocr
import torch
import yaml

from ocrtune.config import load_config
from ocrtune.config.recipes import find_config
from ocrtune.core.records import Image
from ocrtune.inference import Pipeline, PredictOptions, open_detector, open_recogniser, read_image

pytestmark = pytest.mark.parity

IMAGES = int(os.environ.get("OCRTUNE_PARITY_IMAGES", "12"))
OPTIONS = PredictOptions(threads=1)


def _export(recipe: str, name: str, labels: Path, folder: Path) -> tuple[Path, object]:
    """Export the released weights ``name`` from a run folder; the folder and its report."""
    from ocrtune.export.run import export_run
    from ocrtune.models.build import build_model
    from ocrtune.training.checkpoint import BEST, save_weights
    from ocrtune.training.registries import all_registries
    from ocrtune.training.run_folder import prepare_folder
    from ocrtune.weights import catalogue
    from ocrtune.weights.load import load_weights

    overrides = [f"{section}.dataset.data_dir={labels.parent}" for section in ("Train", "Eval")]
    overrides += [f"{section}.dataset.label_file_list={labels}" for section in ("Train", "Eval")]
    overrides += [f"Global.save_model_dir={folder / name}", "Eval.dataset.holdout="]
    config = load_config(find_config(recipe), overrides, all_registries()).config
    entry = catalogue.find(name)
    charset = catalogue.charset_of(entry) if entry.task == "rec" else None
    model = build_model(config.architecture, charset)
    load_weights(model, name, charset=charset)
    prepare_folder(config, charset)
    save_weights(folder / name / BEST, model, charset, None)
    output = folder / f"{name}_exported"
    return output, export_run(folder / name, output, gate_images=IMAGES)


@pytest.fixture(scope="module")
def exported(shared, tmp_path_factory):
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("runs")
    data = shared / "data" / "icdar2015"
    return (
        _export("det/PP-OCRv6_small", "PP-OCRv6_small_det", data / "test.txt", folder),
        _export("rec/PP-OCRv6_small", "PP-OCRv6_small_rec", data / "rec_test.txt", folder),
    )


def test_gate_finds_the_same_results(exported):
    for _, report in exported:
        gate = report.gate
        print(f"\n{report.task}: {gate}")
        assert gate.images == IMAGES
        assert gate.agreement == 1.0
        assert gate.max_abs_diff < 3e-4  # float32, other order of sums
        assert gate.torch_metric == gate.onnx_metric > 0.3


def test_rapidocr_reads_the_exported_models_as_predict_does(exported, shared):
    (det, _), (rec, _) = exported
    params: dict[str, object] = {"Global.log_level": "error", "EngineConfig.onnxruntime.intra_op_num_threads": 1}
    for folder in (det, rec):
        params |= yaml.safe_load((folder / "rapidocr.yaml").read_text(encoding="utf-8"))
    engine = rapidocr.RapidOCR(params=params)
    pipeline = Pipeline(open_detector(det, OPTIONS), open_recogniser(rec, OPTIONS))
    identical, total, differing = 0, 0, []
    for path, image in _pages(shared / "data"):
        ours = [item.text for item in pipeline(image)]
        theirs = list(engine(image).txts or ())
        identical += sum(a == b for a, b in zip(sorted(ours), sorted(theirs)))
        total += max(len(ours), len(theirs))
        if sorted(ours) != sorted(theirs):
            differing.append(f"{path.name}: ours {ours}, RapidOCR {theirs}")
    print(f"\n{identical} of {total} lines identical", *differing, sep="\n")
    assert total >= IMAGES // 2
    assert identical >= 0.98 * total, "\n".join(differing)


def _pages(data: Path) -> list[tuple[Path, Image]]:
    """Half of the images from each set, spread over its test files."""
    paths = []
    for dataset in ("wire_markers", "icdar2015"):
        names = [line.split("\t")[0] for line in (data / dataset / "test.txt").read_text("utf-8").splitlines()]
        step = max(1, len(names) // (IMAGES // 2))
        paths += [data / dataset / name for name in names[::step][: IMAGES // 2]]
    return [(path, read_image(path)) for path in paths]
