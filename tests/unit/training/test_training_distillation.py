"""Distilled runs from start to export: what learns, what is reported, what the student is alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from distilled_runs import distilled_det, distilled_rec
from tiny_runs import det_config

from ocrtune.core.charset import Charset
from ocrtune.core.errors import ConfigError, WeightsError
from ocrtune.export.run import export_run
from ocrtune.models.build import build_model
from ocrtune.models.distillation import DistillationModel
from ocrtune.training.checkpoint import BEST, LATEST, STATE, save_weights
from ocrtune.training.run import assemble, evaluate_config, train
from ocrtune.training.run_folder import LoadedRun, load_run
from ocrtune.training.single import single
from ocrtune.training.tasks.build import build_task
from ocrtune.training.tune import tune_run
from ocrtune.weights.native import read_native


def silent(line: str) -> None:
    pass


def part(tensors: dict[str, np.ndarray], network: str) -> dict[str, np.ndarray]:
    return {n.removeprefix(f"{network}."): v for n, v in tensors.items() if n.startswith(f"{network}.")}


@pytest.fixture(scope="module")
def det_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained CML run; its teacher started from ``teacher.safetensors`` in the folder above."""
    folder = tmp_path_factory.mktemp("cml")
    torch.manual_seed(3)
    save_weights(folder / "teacher.safetensors", build_model(det_config(folder, 1).architecture, None), None, None)
    own = f"Architecture.Models.Teacher.pretrained={folder / 'teacher.safetensors'}"
    train(distilled_det(folder, 1, own, "Global.use_ema=true"), say=silent)
    return folder / "run"


@pytest.fixture(scope="module")
def rec_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dml")
    train(distilled_rec(folder, 1), say=silent)
    return folder / "run"


def test_a_frozen_teacher_is_after_training_what_it_was_before(det_run: Path) -> None:
    before, _ = read_native(det_run.parent / "teacher.safetensors")
    for path in (det_run / BEST, det_run / LATEST):
        after = part(read_native(path)[0], "Teacher")
        assert before.keys() == after.keys()
        changed = [name for name, value in before.items() if not np.array_equal(value, after[name])]
        assert changed == [], "running statistics included"


def test_the_students_learn_and_only_they_have_optimiser_state(det_run: Path) -> None:
    state = torch.load(det_run / STATE, weights_only=True)
    model = load_run(det_run, "latest").model
    assert isinstance(model, DistillationModel)
    learning = [*model.Student.parameters(), *model.Student2.parameters()]
    assert len(state["optimizer"]["state"]) == len(learning)
    latest = read_native(det_run / LATEST)[0]
    one, two = (part(latest, name)["head.binarize.conv1.weight"] for name in ("Student", "Student2"))
    assert np.abs(one - two).max() > 1e-3


def test_the_log_names_the_parts_and_the_evaluation_every_network(det_run: Path) -> None:
    events = [json.loads(line) for line in (det_run / "train.jsonl").read_text().splitlines()]
    steps = [event for event in events if event["event"] == "step"]
    parts = {"dila_dbloss_Student_Teacher", "dila_dbloss_Student2_Teacher", "dml_thrink_maps_Student_Student2"}
    parts |= {f"db_{n}_loss_{m}_maps" for n in ("Student", "Student2") for m in ("shrink", "threshold", "binary")}
    assert parts <= steps[0].keys()
    assert steps[0]["loss"] == pytest.approx(sum(v for k, v in steps[0].items() if k in parts | {"db_cbn"}), rel=1e-4)
    metrics = next(event for event in events if event["event"] == "eval")["metrics"]
    own = {name for name in metrics if "/" not in name}
    assert own >= {"hmean", "precision", "recall", "n_images"}
    for network in ("Student2", "Teacher"):
        assert {f"{network}/{name}" for name in own} <= metrics.keys()
    assert not any(name.startswith("Student/") for name in metrics)


def test_a_run_evaluates_as_it_was_scored(det_run: Path) -> None:
    run = load_run(det_run)
    assert run.score is not None
    options = replace(run.config.global_options, checkpoints=det_run)
    found = evaluate_config(replace(run.config, global_options=options), say=silent)
    assert found == pytest.approx(dict(run.score.metrics))


def test_the_student_is_exported_alone(det_run: Path, tmp_path: Path) -> None:
    report = export_run(det_run, tmp_path / "student")
    assert report.gate is not None
    assert report.gate.max_abs_diff < 1e-4
    other = export_run(det_run, tmp_path / "teacher", network="Teacher")
    sizes = [path.model.stat().st_size for path in (report, other)]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.1), "three networks would be three times as large"
    assert (tmp_path / "student/inference.onnx").read_bytes() != (tmp_path / "teacher/inference.onnx").read_bytes()
    with pytest.raises(ConfigError, match=r"no network is called 'Techer'. did you mean 'Teacher'"):
        export_run(det_run, tmp_path / "x", network="Techer")


def test_one_network_of_a_run_is_a_run_of_its_own(rec_run: Path) -> None:
    run = load_run(rec_run)
    student, teacher = single(run), single(run, "Teacher")
    assert isinstance(student, LoadedRun)
    assert student.config.postprocess.name == "CTCLabelDecode"
    assert student.config.metric.name == "RecMetric"
    image = torch.randn(1, 3, 32, 48)
    with torch.no_grad():
        both = run.model(image)
        assert torch.equal(student.model(image)["ctc"], both["Student/ctc"])
        assert torch.equal(teacher.model(image)["ctc"], both["Teacher/ctc"])
    assert run.score is not None
    assert student.score is not None
    assert teacher.score is not None
    assert teacher.score.metrics["cer"] == run.score.metrics["Teacher/cer"]
    assert set(student.score.metrics) == set(teacher.score.metrics)
    assert build_task(student.config, student.charset).main_indicator == "accuracy_no_space"
    assert single(student) is student
    with pytest.raises(ConfigError, match="the run has one network"):
        single(student, "Teacher")


def test_a_whole_checkpoint_starts_every_network(rec_run: Path, tmp_path: Path) -> None:
    said: list[str] = []
    parts = assemble(distilled_rec(tmp_path, 1, f"Global.pretrained_model={rec_run}"), say=said.append)
    best = read_native(rec_run / BEST)[0]
    state = {k: v.numpy() for k, v in parts.trainer.model.state_dict().items() if "num_batches" not in k}
    assert [name for name, value in state.items() if not np.array_equal(value, best[name])] == []
    assert sum("weights:" in line for line in said) == 2


def test_a_run_goes_on_where_it_stopped(rec_run: Path) -> None:
    config = distilled_rec(rec_run.parent, 2, f"Global.checkpoints={rec_run}")
    said: list[str] = []
    parts = assemble(config, say=said.append)
    latest = read_native(rec_run / LATEST)[0]
    assert parts.trainer.progress.epoch == 1
    assert all(np.array_equal(v.numpy(), latest[n]) for n, v in parts.trainer.model.state_dict().items())


def test_weights_of_one_network_do_not_pass_for_several(det_run: Path, tmp_path: Path) -> None:
    config = distilled_det(tmp_path, 1, f"Global.pretrained_model={det_run.parent / 'teacher.safetensors'}")
    with pytest.raises(WeightsError, match=r"holds no network called .*Architecture.Models.Student.pretrained"):
        assemble(config, say=silent)


def test_equal_networks_that_would_learn_together_are_warned_about(det_run: Path, tmp_path: Path) -> None:
    same = [
        f"Architecture.Models.{n}.pretrained={det_run.parent / 'teacher.safetensors'}" for n in ("Student", "Student2")
    ]
    for overrides, warned in (
        (same, True),
        (same[:1], False),
        ([same[0], same[0].replace("Student", "Teacher")], False),
    ):
        said: list[str] = []
        assemble(distilled_det(tmp_path, 1, *overrides), say=said.append)
        assert any("Student and Student2 start from equal weights" in line for line in said) is warned


def test_only_the_evaluated_networks_run(tmp_path: Path) -> None:
    parts = assemble(distilled_det(tmp_path, 1, "PostProcess.model_name=[Student]"), say=silent)
    assert set(parts.trainer.model.eval()(torch.zeros(1, 3, 32, 32))) == {"Student/shrink"}


def test_thresholds_are_tuned_for_every_network(det_run: Path, tmp_path: Path) -> None:
    tuning = tune_run(det_run, say=silent)
    settings = load_run(det_run).config.postprocess
    assert settings.name == "DistillationDBPostProcess"
    assert settings.options.model_name == ("Student", "Student2", "Teacher")
    assert settings.options.decoder.options == tuning.after


def test_the_deciding_network_must_be_evaluated(tmp_path: Path) -> None:
    config = distilled_rec(tmp_path, 1, "PostProcess.model_name=[Teacher]")
    with pytest.raises(ConfigError, match=r"Metric.key: Student is not evaluated. add it to PostProcess.model_name"):
        build_task(config, Charset("0123"))


def test_parts_of_the_other_task_are_refused(tmp_path: Path) -> None:
    config = distilled_rec(
        tmp_path, 1, "PostProcess={name: DistillationDBPostProcess, model_name: [Student]}", "Metric.main_indicator=acc"
    )
    with pytest.raises(
        ConfigError, match="DistillationDBPostProcess does not fit model_type 'rec' with several Models"
    ):
        build_task(config, None)
