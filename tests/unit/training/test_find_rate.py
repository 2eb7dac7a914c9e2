"""The learning-rate range test: the sweep, the rule, the override it prints, and that the run is left alone."""

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from tiny_runs import rec_config
from tiny_training import Batches, Scale, batch, trainer

from ocrtune.cli.main import main
from ocrtune.config.optimizer_schema import LearningRate
from ocrtune.config.writer import save_config
from ocrtune.core.errors import TrainingError
from ocrtune.training.checkpoint import BEST, LATEST, STATE
from ocrtune.training.find_rate import (
    CURVE,
    HIGHEST,
    LOWEST,
    PICTURE,
    STEPS,
    as_override,
    suggested,
    sweep,
)
from ocrtune.training.rate_picture import rate_picture


def test_the_rate_rises_by_the_same_factor_from_1e_6_to_1e_1_across_epochs() -> None:
    subject = trainer(Scale(), name="Momentum", momentum=0.0)
    subject.progress.step = subject.progress.epoch = 7  # a run that goes on
    found = sweep(subject, Batches([batch(1, 2)] * 30))
    assert len(found.rates) == STEPS
    assert found.rates[0] == LOWEST
    assert found.rates[-1] == pytest.approx(HIGHEST)
    factors = np.divide(found.rates[1:], found.rates[:-1])
    np.testing.assert_allclose(factors, factors[0])
    assert found.losses[0] == 4.0
    assert found.losses[-1] < 4.0


def test_it_stops_where_the_loss_diverges() -> None:
    labels_that_differ = Batches([batch(30, 60), batch(30, 50)] * STEPS)
    found = sweep(trainer(Scale(), name="Momentum", momentum=0.0), labels_that_differ)
    # gradient descent on (30 w - 55)^2 diverges above 2 / (2 * 30^2) = 1.1e-3
    assert len(found.rates) < STEPS
    assert 1.1e-3 < found.rates[-1] < 1e-2
    assert found.suggestion in (2e-5, 5e-5, 1e-4)


def test_a_loss_that_is_no_number_ends_the_sweep_and_from_the_start_is_an_error() -> None:
    batches = [batch(1, 2)] * 40 + [batch(math.nan, 1)] * 60
    assert len(sweep(trainer(Scale()), Batches(batches)).rates) == 40
    with pytest.raises(TrainingError, match="no finite number after 0 steps"):
        sweep(trainer(Scale()), Batches([batch(math.nan, 1)] * STEPS))


@pytest.mark.parametrize(
    ("smoothed", "expected"),
    [([2.0, 1.9, 1.0, 3.0], 1e-4), ([2.0, 1.99, 1.98, 3.0], None), ([1.0, 2.0, 3.0, 4.0], None)],
)
def test_the_suggestion_is_a_tenth_of_the_rate_at_the_lowest_point(
    smoothed: list[float], expected: float | None
) -> None:
    assert suggested([1e-5, 1e-4, 1.9e-3, 1e-2], smoothed) == expected


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (LearningRate("Cosine", 0.1), "Optimizer.lr.learning_rate=0.0005"),
        (LearningRate("OneCycle", max_lr=0.1), "Optimizer.lr.max_lr=0.0005"),
        (
            LearningRate("Cosine", 1.0, base_batch=64, auto=True),
            "Optimizer.lr.learning_rate=0.0005 Optimizer.lr.auto=false",
        ),
        (LearningRate("Piecewise", values=(1e-3, 1e-4), decay_epochs=(7,)), "'Optimizer.lr.values=[0.0005, 5e-05]'"),
    ],
)
def test_the_override_is_that_of_the_schedule(options: LearningRate, text: str) -> None:
    assert as_override(options, 5e-4) == text


def test_the_picture_shows_curve_and_suggestion() -> None:
    rates, losses = [1e-6, 1e-4, 1e-2, 1e-1], [2.0, 1.5, 1.0, 50.0]

    def red(suggestion: float | None) -> int:
        encoded = np.frombuffer(rate_picture(rates, losses, losses, suggestion), np.uint8)
        blue, green, red = cv2.split(cv2.imdecode(encoded, cv2.IMREAD_COLOR).astype(int))
        assert ((blue > 150) & (red < 60)).sum() > 500  # the smoothed curve
        return int(((red > 150) & (blue < 60) & (green < 60)).sum())

    assert red(None) == 0
    assert red(1e-3) > 500


def test_train_find_lr_writes_curve_and_picture_and_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.set_num_threads(1)
    config, run = tmp_path / "config.yml", tmp_path / "run"
    save_config(rec_config(tmp_path, 1, "Global.use_ema=true"), config)
    assert main(["train", "-c", str(config), "--device", "cpu", "--find-lr"]) == 0
    curve = json.loads((run / CURVE).read_text())
    assert len(curve["rates"]) == len(curve["losses"]) == len(curve["smoothed"]) <= STEPS
    assert f"try -o Optimizer.lr.learning_rate={curve['suggestion']:g}" in capsys.readouterr().out
    assert cv2.imread(str(run / PICTURE)) is not None
    assert not {BEST, LATEST, STATE, "train.jsonl"} & {path.name for path in run.iterdir()}
    assert main(["train", "-c", str(config), "--device", "cpu"]) == 0  # into the same folder
