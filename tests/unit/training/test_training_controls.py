"""What a user steers a run with: accumulation, freezing, factors of the rate, limits, the linear rule."""

import math
import signal

import pytest
import torch
from tiny_training import Batches, Notes, Scale, batch, trainer
from torch import nn

from ocrtune.config.optimizer_schema import LearningRate, OptimizerOptions, Regularizer
from ocrtune.core.errors import ConfigError
from ocrtune.training import limits
from ocrtune.training.checkpoint import Progress, Score
from ocrtune.training.freeze import freeze_, train_mode_
from ocrtune.training.interrupt import Interrupt
from ocrtune.training.limits import Limits
from ocrtune.training.linear_rule import round_down, round_up, scaled
from ocrtune.training.loop import fit, grouped, steps_per_epoch
from ocrtune.training.optim import add_l1, build_optimizer, set_rate


def joined(*batches):
    """One batch with the samples of all."""
    first = batches[0]
    image = torch.cat([b.image for b in batches])
    targets = {"y": torch.cat([b.targets["y"] for b in batches])}
    return type(first)(image, targets, tuple(sample for b in batches for sample in b.samples))


def test_accumulated_batches_learn_as_one_large_batch_even_when_their_sizes_differ() -> None:
    large, small = Scale(0.5), Scale(0.5)
    parts = [batch(1, 2), joined(batch(3, 1), batch(2, 5)), batch(4, 4)]
    one = trainer(large).step([joined(*parts)])
    several = trainer(small).step(parts)
    assert several.losses["loss"] == pytest.approx(one.losses["loss"], rel=1e-6)
    assert len(several.samples) == 4
    torch.testing.assert_close(small.weight.grad, large.weight.grad)
    torch.testing.assert_close(small.weight, large.weight)


def test_one_bad_batch_among_the_accumulated_changes_nothing() -> None:
    model = Scale(1.0)
    result = trainer(model).step([batch(1, 2), batch(math.nan, 1)])
    assert result.skipped == "the loss is not a number"
    assert model.weight.item() == 1.0


def test_the_last_step_of_an_epoch_may_have_fewer_batches() -> None:
    loader, notes = Batches([batch(i, i) for i in range(5)]), Notes()
    subject = trainer(Scale())
    fit(subject, loader, 2, notes, accumulate=2)
    assert [len(step.samples) for step in notes.steps] == [2, 2, 1] * 2
    assert subject.progress.step == 2 * steps_per_epoch(loader, 2) == 6
    assert [(len(group), waited) for group, waited in grouped(iter([(batch(1, 1), 0.5)] * 3), 2)] == [
        (2, 1.0),
        (1, 0.5),
    ]


def test_the_loop_ends_when_the_observer_has_enough() -> None:
    notes = Notes()
    notes.enough = 3
    fit(trainer(Scale()), Batches([batch(1, 1)]), 10, notes)
    assert notes.epochs == 3


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Dropout(0.5))
        self.head = nn.Linear(2, 1)


def test_frozen_parts_do_not_learn_and_their_batchnorm_does_not_drift() -> None:
    net = Net()
    assert freeze_(net, ["backbone"]) == 2 * 2 + 2 + 2 + 2
    train_mode_(net)
    assert net.training
    assert net.head.training
    assert not any(module.training for module in net.backbone.modules())
    optimizer = build_optimizer(net, OptimizerOptions(lr=LearningRate("Const", 0.1)))
    learns = [value for group in optimizer.param_groups for value in group["params"]]
    assert {id(value) for value in learns} == {id(value) for value in net.head.parameters()}


def test_one_parameter_can_be_frozen_and_what_surrounds_it_still_trains() -> None:
    net = Net()
    freeze_(net, ["backbone.0.weight"])
    train_mode_(net)
    assert net.backbone[0].training
    assert [name for name, value in net.named_parameters() if not value.requires_grad] == ["backbone.0.weight"]


@pytest.mark.parametrize(
    ("parts", "said"), [(["bakbone"], "did you mean 'backbone'"), (["backbone", "head"], "freezes everything")]
)
def test_freezing_what_does_not_exist_or_everything_is_refused(parts: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        freeze_(Net(), parts)


def test_rate_factors_go_by_the_longest_name() -> None:
    net = Net()
    options = OptimizerOptions(lr=LearningRate("Const", 0.1), lr_mult={"backbone": 0.1, "backbone.0.bias": 0.5})
    optimizer = build_optimizer(net, options)
    set_rate(optimizer, 0.2)
    rates = {id(value): group["lr"] for group in optimizer.param_groups for value in group["params"]}
    found = {name: rates[id(value)] for name, value in net.named_parameters()}
    assert found["head.weight"] == 0.2
    assert found["backbone.0.weight"] == found["backbone.1.bias"] == pytest.approx(0.02)
    assert found["backbone.0.bias"] == pytest.approx(0.1)
    with pytest.raises(ConfigError, match=r"Optimizer.lr_mult: no part is called 'bakbone'"):
        build_optimizer(net, OptimizerOptions(lr=LearningRate("Const", 0.1), lr_mult={"bakbone": 0.1}))


def test_a_components_own_rate_factor_multiplies_the_configs() -> None:
    net = Net()
    net.head.rate_factor = 0.5
    optimizer = build_optimizer(net, OptimizerOptions(lr=LearningRate("Const", 0.1), lr_mult={"head.bias": 0.1}))
    set_rate(optimizer, 0.2)
    rates = {id(value): group["lr"] for group in optimizer.param_groups for value in group["params"]}
    assert rates[id(net.head.weight)] == pytest.approx(0.1)
    assert rates[id(net.head.bias)] == pytest.approx(0.01)
    assert rates[id(net.backbone[0].weight)] == 0.2


def test_l1_pulls_each_weight_by_its_sign() -> None:
    net = nn.Linear(3, 1, bias=False)
    net.weight.data = torch.tensor([[2.0, -3.0, 0.0]])
    options = OptimizerOptions(lr=LearningRate("Const", 0.1), regularizer=Regularizer("L1", 0.5))
    optimizer = build_optimizer(net, options)
    net.weight.grad = torch.ones_like(net.weight)
    add_l1(optimizer)
    assert net.weight.grad.tolist() == [[1.5, 0.5, 1.0]]


def progress(best_step: int, *steps: int) -> Progress:
    history = [Score({"acc": 0.0}, step, step) for step in steps]
    return Progress(step=steps[-1], best=next(s for s in history if s.step == best_step), history=history)


def test_a_tie_goes_to_fewer_wrong_characters_else_to_the_earlier() -> None:
    base = Score({"accuracy": 0.5, "cer": 0.2}, 0, 0)
    assert Score({"accuracy": 0.6, "cer": 0.9}, 1, 1).beats(base, "accuracy")
    assert not Score({"accuracy": 0.5, "cer": 0.2}, 1, 1).beats(base, "accuracy")
    assert not Score({"accuracy": 0.5, "cer": 0.3}, 1, 1).beats(base, "accuracy")
    assert Score({"accuracy": 0.5, "cer": 0.1}, 1, 1).beats(base, "accuracy")
    assert not Score({"hmean": 0.7}, 1, 1).beats(Score({"hmean": 0.7}, 0, 0), "hmean")


def test_early_stop_counts_evaluations_since_the_best() -> None:
    patient = Limits(early_stop=2)
    assert patient.reached(progress(0, 0, 10)) == ""
    assert "2 evaluations without a new best" in patient.reached(progress(0, 0, 10, 20))
    assert patient.reached(progress(20, 0, 10, 20, 30)) == ""
    assert Limits().reached(progress(0, *range(100))) == ""


def test_max_minutes_counts_from_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(limits.time, "monotonic", lambda: now)
    short = Limits(max_minutes=1.5)
    now = 1089.0
    assert short.reached(Progress()) == ""
    now = 1090.0
    assert short.reached(Progress()) == "Global.max_minutes: 1.5 minutes are over"


@pytest.mark.parametrize(
    ("rates", "base", "batch_size", "expected"),
    [
        (LearningRate("Cosine", 0.001, base_batch=64), 64, 8, (1e-4,)),
        (LearningRate("Cosine", 0.001, base_batch=64), 64, 4, (5e-5,)),
        (LearningRate("Piecewise", values=(1e-3, 1e-4), decay_epochs=(700,), base_batch=1024), 1024, 128, (1e-4, 2e-5)),
        (LearningRate("Piecewise", values=(1e-3, 1e-4), decay_epochs=(700,), base_batch=1024), 1024, 64, (5e-5, 1e-5)),
    ],
)
def test_the_linear_rule_gives_the_four_examples_of_paddleocrs_guide(
    rates: LearningRate, base: int, batch_size: int, expected: tuple[float, ...]
) -> None:
    found, line = scaled(rates, batch_size)
    assert (found.values or (found.learning_rate,)) == expected
    assert f"x {batch_size} / {base} =" in line


def test_the_base_batch_keeps_its_rates_and_a_rule_without_one_is_refused() -> None:
    found, line = scaled(LearningRate("Cosine", 0.0007, base_batch=32, auto=True), 32)
    assert (found.learning_rate, found.auto) == (0.0007, False)
    assert "kept" in line
    with pytest.raises(ValueError, match="auto needs base_batch"):
        LearningRate("Cosine", 0.001, auto=True)


@pytest.mark.parametrize(
    ("rate", "down", "up"),
    [(1e-4, 1e-4, 1e-4), (1.25e-4, 1e-4, 2e-4), (9.9e-3, 5e-3, 1e-2), (0.0, 0.0, 0.0), (3, 2, 5)],
)
def test_rounding_to_one_two_or_five(rate: float, down: float, up: float) -> None:
    assert (round_down(rate), round_up(rate)) == (down, up)


def test_sigterm_waits_for_the_check_like_ctrl_c() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Interrupt() as interrupt:
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            interrupt.check()
    assert signal.getsignal(signal.SIGTERM) is before
