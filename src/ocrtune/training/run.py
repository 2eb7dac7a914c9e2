"""One training run, from a config to a run folder."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ocrtune.codec.image import RecPreprocess
from ocrtune.config.schema import RunConfig
from ocrtune.core.charset import Charset
from ocrtune.core.errors import ConfigError, Problem, TrainingError
from ocrtune.data.loader import Loader, build_loader
from ocrtune.data.preprocess import preprocess_of
from ocrtune.losses.build import build_loss
from ocrtune.models.build import build_model
from ocrtune.models.forms import form_text
from ocrtune.training.data import checked_samples
from ocrtune.training.ema import WeightAverage
from ocrtune.training.evaluate import evaluate
from ocrtune.training.freeze import freeze_
from ocrtune.training.interpolate import Interpolated, interpolate_best, keep_base
from ocrtune.training.interrupt import Interrupt
from ocrtune.training.largest_batch import with_largest_batch
from ocrtune.training.limits import Limits
from ocrtune.training.linear_rule import scaled
from ocrtune.training.logs import Bar, Journal, duration
from ocrtune.training.loop import fit, steps_per_epoch
from ocrtune.training.optim import build_optimizer
from ocrtune.training.precision import choose_device, choose_precision, placed
from ocrtune.training.processes import Processes, processes_of, with_synchronised_norms
from ocrtune.training.profiling import Profiling
from ocrtune.training.result import RunResult
from ocrtune.training.run_evaluation import evaluate_config as evaluate_config
from ocrtune.training.run_folder import copy_best, prepare_folder, with_batch_of_resumed
from ocrtune.training.schedule import build_schedule
from ocrtune.training.snapshots import Snapshots
from ocrtune.training.speed_up import speed_up_
from ocrtune.training.spelling import measure_spelling, save_spelled, spelled_lines
from ocrtune.training.start import (
    pixels_per_step,
    read_charset,
    restore_norms,
    resume,
    resume_form,
    run_folder_of,
)
from ocrtune.training.start_distillation import evaluate_only_named, fill_model
from ocrtune.training.step import Trainer
from ocrtune.training.tasks.base import Task
from ocrtune.training.tasks.build import build_task
from ocrtune.training.tensorboard import TensorBoard, require_tensorboard
from ocrtune.training.upside_down import decide_turns, measure_orientation
from ocrtune.training.watch import EvaluationPlan, Watch

JOURNAL = "train.jsonl"
Say = Callable[[str], None]

_SIGNAL_TO_ALL_S = 1.0  # a signal to a group of processes has reached all of them by then


@dataclass(frozen=True)
class Parts:
    """What a run is made of, before the first step."""

    config: RunConfig
    charset: Charset | None
    trainer: Trainer
    task: Task
    train_loader: Loader
    eval_loader: Loader
    n_train: int
    n_eval: int

    @property
    def steps_per_epoch(self) -> int:
        """Steps that one pass over the training data makes."""
        return steps_per_epoch(self.train_loader, self.config.optimizer.gradient_accumulation_steps)

    def measure(self) -> dict[str, float]:
        """Every metric of the model, as it is, on the validation set."""
        trainer = self.trainer
        return evaluate(
            trainer.model,
            self.eval_loader,
            self.task,
            self.n_eval,
            device=trainer.device,
            processes=trainer.processes,
        )


def train(
    config: RunConfig, *, device: str | None = None, say: Say = print, after_step: Callable[[], None] | None = None
) -> RunResult:
    """Fine-tune as ``config`` says and fill ``Global.save_model_dir``; see ``docs/design.md`` for its files.

    device: as PyTorch spells it; None takes a GPU if there is one. say: gets each line meant for the user. after_step:
    called after every step.
    The base model is evaluated before the first step, and ``best`` starts as the base model.
    Where ``torchrun`` started several processes, all of them must call this; that of rank 0 alone says and writes.
    Raises ConfigError, DataError or WeightsError before training, TrainingError when it cannot go on, and
    KeyboardInterrupt, after saving, when the user stops it.
    """
    with processes_of(device) as processes:
        return _train_together(config, processes, device, say if processes.is_main else _nothing, after_step)


def _train_together(
    config: RunConfig, processes: Processes, device: str | None, say: Say, after_step: Callable[[], None] | None
) -> RunResult:
    started = time.perf_counter()
    if config.global_options.use_tensorboard:
        require_tensorboard()
    limits = Limits(config.global_options.max_minutes, config.global_options.early_stop)
    parts = assemble(config, device=device, say=say, processes=processes)
    folder = parts.config.global_options.save_model_dir
    settings = _settings(parts)
    for line in _introduction(settings):
        say(line)
    with (
        _curves(parts) as mirror,
        Journal(folder / JOURNAL if processes.is_main else Path(os.devnull), mirror) as journal,
    ):
        journal.write("start", settings)
        _train(parts, journal, limits, after_step)
        between = _interpolate(parts, journal, say)
    seconds = time.perf_counter() - started
    result = RunResult.of(folder, parts.task.main_indicator, parts.trainer.progress, seconds, settings, between)
    if processes.is_main:
        say(result.table())
        say(f"{duration(seconds)} in all; {result.save()}, {result.best}")
    return result


def assemble(
    config: RunConfig, *, device: str | None = None, say: Say = print, processes: Processes | None = None
) -> Parts:
    """Read the data, build and fill the model, prepare the run folder; nothing is trained yet.

    processes: those that train together; each gets the same parts, except its own shard of the data.
    """
    processes = processes or Processes()
    config = with_batch_of_resumed(config)
    options = config.global_options
    seed_everything(options.seed)
    charset = read_charset(config)
    task = build_task(config, charset)
    kind = config.architecture.model_type
    model = build_model(config.architecture, charset)
    place = processes.device or choose_device(device)
    loader = partial(
        build_loader, task=kind, seed=options.seed, charset=charset, max_text_length=options.max_text_length
    )
    preprocess = preprocess_of(config.eval.dataset.transforms)
    step = pixels_per_step(model, preprocess.image_shape[1]) if isinstance(preprocess, RecPreprocess) else 1
    training, evaluation = checked_samples(config, charset, step, say)
    eval_loader = loader(evaluation, config.eval, training=False, preprocess=preprocess, shard=processes.shard)
    if options.checkpoints is None:
        fill_model(model, config, charset, say)
    measure = partial(measure_orientation, model, training, preprocess, config, charset)
    config = processes.decided(partial(decide_turns, config, measure, say))
    measure_all = partial(measure_spelling, model, training, preprocess, config, charset, place)
    spelled = processes.decided(partial(spelled_lines, config, measure_all, say))
    loader = partial(loader, spelled=spelled)
    train_loader = loader(training, config.train, training=True, width_per_step=step, shard=processes.shard)
    if options.use_sync_bn and processes.any(not all(train_loader.plan.batches(0))):
        what = "the last batch of an epoch has fewer samples than there are processes"
        raise ConfigError(Problem("Global.use_sync_bn", what, "set Train.loader.drop_last: true"))
    if options.checkpoints is None:
        every_process = train_loader
        if processes.world > 1:
            every_process = loader(training, config.train, training=True, width_per_step=step)
        if restore_norms(model, options, every_process):
            say("BatchNorm restored behind the folded convolutions, with statistics of the training images")
    else:
        resume_form(model, run_folder_of(options.checkpoints))
    evaluate_only_named(model, config)
    if options.freeze:
        say(f"frozen: {freeze_(model, options.freeze):,} parameters ({', '.join(options.freeze)})")
    if config.train.loader.auto_batch:
        if processes.world > 1:
            what = "'auto' is found in one process, here are several"
            raise ConfigError(Problem("Train.loader.batch_size_per_card", what, "give a number"))
        config = with_largest_batch(config, model, place, train_loader, training.epoch_size(), say)
        train_loader = loader(training, config.train, training=True, width_per_step=step)
    config = processes.decided(partial(prepare_folder, _with_rates(config, processes.world, say), charset))
    processes.decided(partial(save_spelled, options.save_model_dir, spelled))
    steps = steps_per_epoch(train_loader, config.optimizer.gradient_accumulation_steps)
    trainer = _trainer(config, model, place, steps, processes)
    came_from = run_folder_of(options.checkpoints) if options.checkpoints is not None else None
    if config.global_options.interpolation_shares:
        processes.decided(partial(keep_base, options.save_model_dir, model, charset, came_from))
    if came_from is not None:
        processes.decided(partial(copy_best, options.save_model_dir, came_from))
        resume(trainer, came_from, steps)
        say(f"going on after step {trainer.progress.step}, epoch {trainer.progress.epoch}, of {came_from}")
    return Parts(config, charset, trainer, task, train_loader, eval_loader, training.epoch_size(), len(evaluation))


def seed_everything(seed: int) -> None:
    """Seed Python's, NumPy's and PyTorch's global generators; data has streams of its own."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def total_batch(config: RunConfig, world: int = 1) -> int:
    """Samples that make one step: cards (``world``) x batch per card x accumulated batches."""
    return world * config.train.loader.batch_size_per_card * config.optimizer.gradient_accumulation_steps


def _with_rates(config: RunConfig, world: int, say: Say) -> RunConfig:
    """``config`` with learning rates for its own total batch, where ``Optimizer.lr.auto`` asks for the linear rule."""
    if not config.optimizer.lr.auto:
        return config
    rates, line = scaled(config.optimizer.lr, total_batch(config, world))
    say(line)
    return replace(config, optimizer=replace(config.optimizer, lr=rates))


def _trainer(
    config: RunConfig, model: nn.Module, device: torch.device, steps_per_epoch: int, processes: Processes
) -> Trainer:
    options = config.global_options
    if options.use_sync_bn:
        model = with_synchronised_norms(model, processes)
    model = placed(model, device)
    if device.type == "cpu":
        speed_up_(model)
    processes.copy_([*model.parameters(), *model.buffers()])
    if not processes.is_main:
        seed_everything(options.seed + processes.rank)  # of dropout; data and fresh weights are the same everywhere
    average = WeightAverage(model, options.ema_decay, options.ema_decay_type) if options.use_ema else None
    return Trainer(
        model=model,
        loss=build_loss(config.loss).to(device),
        optimizer=build_optimizer(model, config.optimizer),
        options=config.optimizer,
        schedule=build_schedule(config.optimizer.lr, options.epochs(steps_per_epoch), steps_per_epoch),
        device=device,
        precision=choose_precision(options.precision, device),
        average=average,
        processes=processes,
    )


def _train(parts: Parts, journal: Journal, limits: Limits, after_step: Callable[[], None] | None) -> None:
    options = parts.config.global_options
    trainer = parts.trainer
    epochs = options.epochs(parts.steps_per_epoch)
    steps = parts.steps_per_epoch * epochs
    interrupt = Interrupt()
    folder, profile, processes = options.save_model_dir, options.profile, trainer.processes
    with (
        Bar(steps, "step", done=trainer.progress.step, quiet=not processes.is_main) as bar,
        Profiling(profile if processes.is_main else None, folder, trainer.device, bar.say) as profiling,
    ):
        watch = Watch(
            trainer=trainer,
            measure=parts.measure,
            main_indicator=parts.task.main_indicator,
            folder=folder,
            charset=parts.charset,
            plan=EvaluationPlan.at_the_end() if profile else EvaluationPlan.of(options.eval_batch_step),
            steps=steps,
            epochs=epochs,
            print_every=options.print_batch_step,
            journal=journal,
            bar=bar,
            interrupt=interrupt,
            limits=limits,
            profiling=profiling,
            after_step=after_step,
            snapshots=_snapshots(parts) if processes.is_main else None,
        )
        if trainer.progress.before is None:
            watch.evaluate_base()
        try:
            with interrupt, _worker_lost_is_an_error(interrupt):
                fit(trainer, parts.train_loader, epochs, watch, parts.config.optimizer.gradient_accumulation_steps)
        except (KeyboardInterrupt, RuntimeError) as stop:
            if not interrupt.requested or interrupt.at_once or (processes.world > 1 and not interrupt.agreed):
                raise
            watch.save_latest()
            processes.gather(None)  # torchrun ends the others, also in the middle of writing, when one has left
            bar.say(f"stopped at step {trainer.progress.step}; go on with -o Global.checkpoints={folder}")
            raise KeyboardInterrupt from stop


@contextmanager
def _worker_lost_is_an_error(interrupt: Interrupt) -> Iterator[None]:
    """PyTorch's RuntimeError for a dead worker of the loader as a TrainingError, unless this process is to end too."""
    try:
        yield
    except RuntimeError as error:
        if not str(error).startswith("DataLoader worker") or interrupt.noted_within(_SIGNAL_TO_ALL_S):
            raise
        what, fix = f"a worker process was lost: {error}", "if memory ran out, lower num_workers or cache_images"
        raise TrainingError(Problem("Train.loader", what, fix)) from error


def _snapshots(parts: Parts) -> Snapshots:
    options = parts.config.global_options
    return Snapshots(options.save_model_dir, options.save_epoch_step, options.keep_checkpoints)


def _curves(parts: Parts) -> TensorBoard | nullcontext[None]:
    options = parts.config.global_options
    if not options.use_tensorboard or not parts.trainer.processes.is_main:
        return nullcontext()
    return TensorBoard(options.save_model_dir, parts.trainer.progress.step + 1)


def _interpolate(parts: Parts, journal: Journal, say: Say) -> Interpolated | None:
    """What ``Global.interpolate`` asks for, after training; None when it asks for nothing."""
    options, trainer = parts.config.global_options, parts.trainer
    shares = options.interpolation_shares
    if not shares:
        return None
    folder, main = options.save_model_dir, parts.task.main_indicator
    found = interpolate_best(
        folder, shares, trainer.model, parts.measure, main, trainer.progress, say, write=trainer.processes.is_main
    )
    if found is not None:
        values = {"share": found.share, "metrics": found.score.metrics, "kept": found.kept}
        journal.write("interpolated", values)
    return found


def _settings(parts: Parts) -> dict[str, Any]:
    """What the config resolved to, for people and for the record."""
    options, trainer = parts.config.global_options, parts.trainer
    epochs = options.epochs(parts.steps_per_epoch)
    parameters = [value for value in trainer.model.parameters() if value.requires_grad]
    return {
        "model": options.model_name or parts.config.architecture.algorithm or parts.config.architecture.model_type,
        "form": form_text(trainer.model),
        "parameters": sum(value.numel() for value in parameters),
        "n_train": parts.n_train,
        "n_eval": parts.n_eval,
        "cache_gib": round(parts.train_loader.cache_gib, 2),
        "batch": total_batch(parts.config, trainer.processes.world),
        "batch_per_card": parts.config.train.loader.batch_size_per_card,
        "accumulated": parts.config.optimizer.gradient_accumulation_steps,
        "processes": trainer.processes.world,
        "epochs": epochs,
        "steps": parts.steps_per_epoch * epochs,
        "optimizer": parts.config.optimizer.name,
        "schedule": parts.config.optimizer.lr.name,
        "peak_lr": trainer.schedule.peak,
        "warmup_steps": trainer.schedule.warmup_steps,
        "last_lr": trainer.schedule(parts.steps_per_epoch * epochs - 1),
        "ema": options.ema_decay if options.use_ema else None,
        "device": str(trainer.device),
        "threads": torch.get_num_threads(),
        "precision": str(trainer.precision).removeprefix("torch."),
        "seed": options.seed,
    }


def _introduction(settings: dict[str, Any]) -> list[str]:
    s = settings
    ema = f", moving average {s['ema']}" if s["ema"] else ""
    where = f"{s['device']} ({s['threads']} threads)" if s["device"] == "cpu" else s["device"]
    batch = f"total batch {s['batch']}"
    if s["processes"] > 1:
        where = f"{s['processes']} processes, the first on {where}"
        batch += f" ({s['processes']} cards x {s['batch_per_card']} x {s['accumulated']} accumulated)"
    cache = f"; decoded images stay in up to {s['cache_gib']:.1f} GiB of memory" if s["cache_gib"] >= 0.1 else ""
    return [
        f"model: {s['model']}, {s['parameters']:,} parameters ({s['form']} form), on {where} in {s['precision']}",
        f"data: {s['n_train']} samples an epoch for training, {s['n_eval']} for evaluation{cache}",
        f"plan: {s['epochs']} epochs, {s['steps']} steps, {batch}; {s['optimizer']}, {s['schedule']} "
        f"from {s['peak_lr']:.3g} to {s['last_lr']:.3g}, warm-up {s['warmup_steps']} steps{ema}",
    ]


def _nothing(line: str) -> None:
    """What processes other than the first say."""
