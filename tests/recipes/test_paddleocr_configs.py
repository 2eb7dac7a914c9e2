"""All of PaddleOCR's own YAML files, without an edit: only paths, dictionary, batch size and workers are overridden.

Loading and building runs always; a real step and an evaluation of each takes minutes:
``pytest -m slow tests/recipes/test_paddleocr_configs.py``.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import torch
from tiny_sets import CHARACTERS, COUNT, config_files, draw_sets, overrides

from ocrtune.config import Loaded, MultiScaleSampler, RunConfig, load_config, save_config
from ocrtune.core.charset import Charset
from ocrtune.losses.build import build_loss
from ocrtune.models.build import build_model
from ocrtune.training.evaluate import evaluate
from ocrtune.training.loop import fit
from ocrtune.training.registries import all_registries
from ocrtune.training.run import Parts, assemble
from ocrtune.training.step import StepResult

_REGISTRIES = cache(all_registries)
_UNDERSTOOD = {  # where a file of PaddleOCR means something else than it says; every other notice is an ignored key
    "Train.dataset.transforms[6].RandomCrop": "understood as EastRandomCropData",
    "Global.use_amp": "ocrtune uses bfloat16",
    "Architecture.Models.Teacher.Backbone.last_stage": "understood as true",
    "Train.dataset.transforms": "understood as with the RecResizeImg of Eval",
}


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    draw_sets(folder)
    return folder


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per place in the sorted list: the files themselves are in the shared folder, which may be absent."""
    if "place" in metafunc.fixturenames:
        metafunc.parametrize("place", range(COUNT))


def load(shared: Path, place: int, folder: Path, batch: int = 2) -> Loaded:
    file = config_files(shared)[place]
    return load_config(file, overrides(file, folder, batch), _REGISTRIES())


def named(shared: Path, name: str, folder: Path) -> RunConfig:
    [place] = [i for i, file in enumerate(config_files(shared)) if file.stem == name]
    return load(shared, place, folder).config


def test_no_file_is_forgotten(shared: Path) -> None:
    files = config_files(shared)
    assert len(files) == COUNT
    assert sum(file.is_relative_to(shared / "paddleocr-configs" / "det") for file in files) == 23


def test_loads_builds_and_saves(shared: Path, place: int, sets: Path, tmp_path: Path) -> None:
    loaded = load(shared, place, sets)
    for notice in loaded.notices:
        if not notice.what.startswith("ignored: ") and "written more than once" not in notice.what:
            assert _UNDERSTOOD.get(notice.where, "unexpected") in notice.what, str(notice)
    config = loaded.config
    with torch.device("meta"):  # shapes only; the values are the business of tests/parity/test_zoo_paddleocr.py
        model = build_model(config.architecture, Charset([*CHARACTERS], config.global_options.use_space_char))
        build_loss(config.loss)
    assert sum(parameter.numel() for parameter in model.parameters()) > 400_000
    save_config(config, tmp_path / "config.yml")
    again = load_config(tmp_path / "config.yml", registries=_REGISTRIES())
    assert again.config == config
    assert again.notices == ()


class _OneStep:
    """Stops after the first step."""

    def __init__(self) -> None:
        self.results: list[StepResult] = []

    def stepped(self, result: StepResult, waited: float) -> None:
        self.results.append(result)

    def epoch_ended(self) -> None: ...

    def wants_to_stop(self) -> bool:
        return bool(self.results)


def step_and_evaluate(parts: Parts) -> tuple[StepResult, dict[str, float]]:
    observer = _OneStep()
    fit(parts.trainer, parts.train_loader, parts.trainer.progress.epoch + 1, observer)
    measured = evaluate(parts.trainer.model, parts.eval_loader, parts.task, parts.n_eval, device=parts.trainer.device)
    return observer.results[0], measured


@pytest.mark.slow
def test_learns_a_step_and_evaluates(shared: Path, place: int, sets: Path, tmp_path: Path) -> None:
    config = load(shared, place, sets, batch=1).config
    parts = assemble(config, device="cpu", say=lambda line: None)
    trained = [p for p in parts.trainer.model.parameters() if p.requires_grad]
    before = [parameter.detach().clone() for parameter in trained]
    progress = parts.trainer.progress
    progress.epoch = 10**6  # past the warm-up, which starts at a rate of 0
    progress.step = progress.epoch * parts.steps_per_epoch
    result, measured = step_and_evaluate(parts)
    assert result.skipped == ""
    changed = sum(not torch.equal(old, new) for old, new in zip(before, trained, strict=True))
    assert changed > 0.9 * len(trained)
    assert 0 <= measured[parts.task.main_indicator] <= 1


def test_values_of_v6_small_rec(shared: Path, sets: Path) -> None:
    config = named(shared, "PP-OCRv6_small_rec", sets)
    assert config.train.sampler == MultiScaleSampler(first_bs=2, fix_bs=False)
    assert config.global_options.eval_batch_step == (0, 2000)
    assert config.architecture.head.options.guide.max_text_length == 25


def test_values_of_v6_small_det(shared: Path, sets: Path) -> None:
    config = named(shared, "PP-OCRv6_small_det", sets)
    assert config.global_options.use_ema
    assert config.global_options.ema_decay == 0.9997
    assert config.eval.dataset.transforms[2].options.limit_side_len == 4000
    assert config.loss.options.focal_gamma == 2.5


def test_values_of_the_seal_detector(shared: Path, sets: Path) -> None:
    config = named(shared, "PP-OCRv4_mobile_seal_det", sets)
    assert config.postprocess.options.box_type == "poly"
    assert [t.options.shrink_ratio for t in config.train.dataset.transforms if "shrink_ratio" in t.raw] == [0.8, 0.8]
