"""What happens around the steps of a run: the log, evaluations, checkpoints."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ocrtune.core.charset import Charset
from ocrtune.core.errors import Problem
from ocrtune.core.submodels import SEPARATOR, plain
from ocrtune.models.forms import form_text
from ocrtune.training.checkpoint import BEST, LATEST, Score, random_state, save_state, save_weights
from ocrtune.training.interrupt import Interrupt
from ocrtune.training.limits import Limits
from ocrtune.training.logs import Bar, Journal, Meter
from ocrtune.training.profiling import Profiling
from ocrtune.training.snapshots import Snapshots
from ocrtune.training.step import StepResult, Trainer


@dataclass(frozen=True)
class EvaluationPlan:
    """When the model is evaluated, besides before the first step and after the last one.

    every: None after each epoch; else each ``every`` steps after step ``start``, as PaddleOCR's
    ``eval_batch_step: [start, every]``.
    """

    every: int | None = None
    start: int = 0

    @classmethod
    def of(cls, eval_batch_step: tuple[int, int] | int | None) -> EvaluationPlan:
        """From ``Global.eval_batch_step``; None: after each epoch."""
        if isinstance(eval_batch_step, tuple):
            return cls(eval_batch_step[1], eval_batch_step[0])
        return cls(eval_batch_step)

    @classmethod
    def at_the_end(cls) -> EvaluationPlan:
        """No evaluation in between."""
        return cls(sys.maxsize)

    def after_step(self, step: int) -> bool:
        """Whether to evaluate after that many steps."""
        return self.every is not None and step > self.start and (step - self.start) % self.every == 0


@dataclass
class Watch:
    """Observes :func:`ocrtune.training.loop.fit`.

    measure: evaluates the trainer's model as it is. main_indicator: which of the metrics picks the best.
    steps: of the whole run. print_every: steps between two lines of the journal. after_step: called after each step.
    """

    trainer: Trainer
    measure: Callable[[], dict[str, float]]
    main_indicator: str
    folder: Path
    charset: Charset | None
    plan: EvaluationPlan
    steps: int
    epochs: int
    print_every: int
    journal: Journal
    bar: Bar
    interrupt: Interrupt
    limits: Limits = field(default_factory=Limits)
    profiling: Profiling | None = None
    snapshots: Snapshots | None = None
    after_step: Callable[[], None] | None = None

    def __post_init__(self) -> None:
        self._meter = Meter()
        self._shown = ""
        self._pieces = self.trainer.pieces
        self._processes = self.trainer.processes

    def evaluate_base(self) -> None:
        """Evaluate the model as it was loaded. It is the first ``best``: training must beat it."""
        score = self._evaluate()
        self.trainer.progress.before = score
        self.bar.say(f"before training: {self._brief(score.metrics)}")

    def stepped(self, result: StepResult, waited: float) -> None:
        """Log one step; evaluate when the plan says so."""
        progress = self.trainer.progress
        if self.after_step is not None:
            self.after_step()
        if self.profiling is not None:
            self.profiling.stepped()
        if result.pieces > self._pieces:
            self._tell_pieces(result)
        if result.skipped:
            self._tell_skipped(result)
        else:
            self._meter.add(result.losses, result.count, waited)
        last = progress.step >= self.steps
        if progress.step % self.print_every == 0 or last:
            self._tell_step(result.rate)
        self.bar.advance(self._shown)
        if self.plan.after_step(progress.step) and not last:
            self._evaluate_and_tell()
        if self._processes.any(self.interrupt.requested):
            self.interrupt.requested = self.interrupt.agreed = True
        self.interrupt.check()

    def epoch_ended(self) -> None:
        """Evaluate, unless the plan goes by steps and training goes on; save what is needed to go on."""
        if (self.plan.every is None or self.trainer.progress.epoch >= self.epochs) and not self._is_evaluated():
            self._evaluate_and_tell()
        self.save_latest()
        if self.snapshots is not None:
            self.snapshots.take(self.trainer.progress.epoch)

    def wants_to_stop(self) -> bool:
        """Whether a limit is reached before the last step. Then the model is evaluated, saved, and the reason told."""
        progress = self.trainer.progress
        ended = progress.step >= self.steps
        reason = "" if ended else self._processes.decided(self._limit)
        if reason:
            if not self._is_evaluated():
                self._evaluate_and_tell()
            self.save_latest()
            self.journal.write("stop", {"step": progress.step, "reason": reason})
            self.bar.say(f"stopped at step {progress.step} of {self.steps}: {reason}")
        return bool(reason)

    def _limit(self) -> str:
        profiled = self.profiling.finished() if self.profiling is not None else ""
        return profiled or self.limits.reached(self.trainer.progress)

    def save_latest(self) -> None:
        """Write the present weights and the state to go on from; rank 0 does, all processes call it."""
        others = self._processes.gather(random_state())[1:]
        if not self._processes.is_main:
            return
        started = time.perf_counter()
        progress = self.trainer.progress
        score = progress.history[-1] if progress.history else None
        fresh = score if score is not None and score.step == progress.step else None
        with self._evaluated_weights():
            save_weights(self.folder / LATEST, self.trainer.model, self.charset, fresh)
        average = self.trainer.average
        save_state(
            self.folder,
            {
                "form": form_text(self.trainer.model),
                "model": self.trainer.model.state_dict(),
                "optimizer": self.trainer.optimizer.state_dict(),
                "average": average.state_dict() if average is not None else None,
                "progress": progress.to_dict(),
                "steps_per_epoch": self.steps // self.epochs,
                **({"random_of_others": others} if others else {}),
            },
        )
        self._meter.pause(time.perf_counter() - started)

    def _is_evaluated(self) -> bool:
        """Whether the model was evaluated after the present step, perhaps before the run was resumed."""
        progress = self.trainer.progress
        return bool(progress.history) and progress.history[-1].step == progress.step

    def _evaluate_and_tell(self) -> None:
        score = self._evaluate()
        mark = "  best" if score is self.trainer.progress.best else ""
        self.bar.say(f"epoch {score.epoch}/{self.epochs} step {score.step}: {self._brief(score.metrics)}{mark}")

    def _evaluate(self) -> Score:
        started = time.perf_counter()
        progress = self.trainer.progress
        with self._evaluated_weights():
            metrics = self.measure()
            epoch = -(-progress.step * self.epochs // self.steps)
            score = Score(metrics, progress.step, epoch)
            progress.history.append(score)
            best = progress.best
            if best is None or score.beats(best, self.main_indicator):
                progress.best = score
                if self._processes.is_main:
                    save_weights(self.folder / BEST, self.trainer.model, self.charset, score)
        seconds = time.perf_counter() - started
        self._meter.pause(seconds)
        values = {"epoch": score.epoch, "step": score.step, "metrics": metrics, "seconds": round(seconds, 3)}
        self.journal.write("eval", {**values, "best": score is progress.best})
        return score

    @contextmanager
    def _evaluated_weights(self) -> Iterator[None]:
        """The averaged weights, where the run averages and has made a step."""
        average = self.trainer.average
        if average is None or average.step == 0:
            yield
        else:
            with average.applied(self.trainer.model):
                yield

    def _tell_step(self, rate: float) -> None:
        phases = self.trainer.phases.read()
        means = self._meter.read(phases)
        if not means:
            return
        progress = self.trainer.progress
        epoch = -(-progress.step * self.epochs // self.steps)
        self.journal.write("step", {"epoch": epoch, "step": progress.step, "lr": rate, **means})
        self._shown = f"epoch {epoch}/{self.epochs} loss {means['loss']:.4f} lr {rate:.2e}"
        shares = ", ".join(f"{name} {means[name]:.0%}" for name in ("waiting", *phases))
        self._shown += f" {means['samples_per_s']:.1f} samples/s ({shares})"

    def _tell_skipped(self, result: StepResult) -> None:
        sources = [sample.source for sample in result.samples]
        step = self.trainer.progress.step
        self.journal.write("skipped", {"step": step, "reason": result.skipped, "samples": sources})
        self.bar.say(f"warning: {Problem(f'step {step}', f'{result.skipped}; nothing learnt from {sources}')}")

    def _tell_pieces(self, result: StepResult) -> None:
        self._pieces = result.pieces
        step = self.trainer.progress.step
        self.journal.write("memory", {"step": step, "pieces": result.pieces})
        what = f"out of memory: from now on a batch is learnt from in {result.pieces} pieces"
        fix = "The total batch stays; a smaller batch_size_per_card with more gradient_accumulation_steps is the same"
        self.bar.say(f"warning: {Problem(f'step {step}', what, fix)}")

    def _brief(self, metrics: Mapping[str, float]) -> str:
        main = {self.main_indicator: metrics[self.main_indicator]}
        own = {name: value for name, value in metrics.items() if SEPARATOR not in name and not is_count(name)}
        others = {name: value for name, value in metrics.items() if plain(name) == self.main_indicator}
        return "  ".join(f"{name} {value:.4f}" for name, value in (main | own | others).items())


def is_count(metric: str) -> bool:
    """Whether a metric is a number of things rather than a rate."""
    name = plain(metric)
    return name == "n" or name.startswith("n_") or name == "out_of_dictionary"
