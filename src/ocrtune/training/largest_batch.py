"""``Train.loader.batch_size_per_card: auto``: the largest of 2, 3, 4, 6, 8, 12, 16, ... samples that fits into memory.

On a GPU steps are tried, forward and backward, on the largest size of image that the run has, until one runs out of
memory; room for the optimizer is kept free. On a CPU running out of memory ends the process, so that nothing is tried:
what the forward pass keeps for the backward pass is counted for 2 and for 4 samples, and the batch may need half of the
memory that is free. Neither goes so far that an epoch has fewer than eight steps, nor above 1024 samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ocrtune.config.data_schema import MultiScaleSampler
from ocrtune.config.schema import RunConfig
from ocrtune.core.free_memory import free_memory
from ocrtune.core.records import Batch
from ocrtune.data.loader import Loader
from ocrtune.losses.build import build_loss
from ocrtune.training.batches import images_on, targets_on
from ocrtune.training.checkpoint import random_state, set_random_state
from ocrtune.training.freeze import train_mode_
from ocrtune.training.precision import autocast, choose_precision, placed

_MOST = 1024  # samples; larger batches than PaddleOCR's own have no learning rate that anybody tried
_STEPS_PER_EPOCH = 8
_MEMORY_SHARE = 0.5  # of a CPU's free memory: gradients of activations and scratch space are not counted
_UNKNOWN_MEMORY = 4 * 2**30  # bytes, where the system does not say what is free
_IMAGES = 8  # different samples in the trials, repeated to the size that is tried
_STATE = 3  # times the size of the parameters: two moments of the optimizer, one moving average


Fits = Callable[[int], bool]


def with_largest_batch(
    config: RunConfig,
    model: nn.Module,
    device: torch.device,
    loader: Loader,
    epoch_size: int,
    say: Callable[[str], None],
) -> RunConfig:
    """``config`` with a number where ``batch_size_per_card`` was ``auto``; the model and random numbers are untouched.

    loader: of the training samples, at any batch size. epoch_size: samples of an epoch. Of a MultiScaleSampler
    ``first_bs`` is set too.
    """
    model = placed(model, device)
    trial = Trial(
        model=model,
        loss=build_loss(config.loss).to(device),
        batch=loader.largest(_IMAGES),
        device=device,
        precision=choose_precision(config.global_options.precision, device),
    )
    limit = max(1, min(_MOST, epoch_size // (_STEPS_PER_EPOCH * config.optimizer.gradient_accumulation_steps)))
    random, weights = random_state(), {name: value.detach().clone() for name, value in model.state_dict().items()}
    fits = by_trying(trial) if device.type == "cuda" else by_counting(trial, _memory_to_use())
    size = largest(fits, limit)
    model.load_state_dict(weights)
    set_random_state(random)
    reason = "the most that fits" if size < max(sizes(limit)) else "more would make too few steps"
    rate = "" if config.optimizer.lr.auto else "; the learning rate stays (Optimizer.lr.auto: true scales it)"
    say(f"batch: {size} samples, {reason}{rate}")
    options = replace(config.train.loader, batch_size_per_card=size, auto_batch=False)
    sampler = config.train.sampler
    if isinstance(sampler, MultiScaleSampler):
        sampler = replace(sampler, first_bs=size)
    return replace(config, train=replace(config.train, loader=options, sampler=sampler))


def sizes(limit: int) -> Iterator[int]:
    """1, 2, 3, 4, 6, 8, 12, 16, ... up to ``limit``: powers of two, and one and a half of them."""
    size = 1
    while size <= limit:
        yield size
        if size > 1 and size * 3 // 2 <= limit:
            yield size * 3 // 2
        size *= 2


def largest(fits: Fits, limit: int) -> int:
    """The last of :func:`sizes` before the first that does not fit. One sample is taken to fit."""
    found = 1
    for size in sizes(limit):
        if size > 1 and not fits(size):
            break
        found = size
    return found


@dataclass
class Trial:
    """Steps that are not made: the model's gradients are thrown away, but its BatchNorm statistics move."""

    model: nn.Module
    loss: nn.Module
    batch: Batch
    device: torch.device
    precision: torch.dtype = torch.float32

    def forward(self, size: int) -> Tensor:
        """The loss of ``size`` samples in training mode."""
        train_mode_(self.model)
        batch = repeated(self.batch, size)
        targets = targets_on(batch, self.device)
        with autocast(self.device, self.precision):
            outputs = self.model(images_on(batch, self.device), targets)
        total: Tensor = self.loss(outputs, targets)["loss"]
        return total

    def parameter_bytes(self) -> int:
        """Of the parameters that learn."""
        return sum(value.numel() * value.element_size() for value in self.model.parameters() if value.requires_grad)


def repeated(batch: Batch, size: int) -> Batch:
    """``size`` samples: those of ``batch``, again from the first one as often as it takes."""
    index = torch.arange(size) % len(batch)
    targets = {name: value[index] for name, value in batch.targets.items()}
    return Batch(batch.image[index], targets, tuple(batch.samples[i] for i in index.tolist()))


def by_trying(trial: Trial) -> Fits:
    """Whether a forward and a backward pass run, beside the memory that an optimizer will need."""

    def fits(size: int) -> bool:
        try:
            room = torch.empty(_STATE * trial.parameter_bytes(), dtype=torch.uint8, device=trial.device)
            torch.autograd.backward(trial.forward(size))
            del room
        except torch.OutOfMemoryError:
            return False
        finally:
            trial.model.zero_grad(set_to_none=True)
            if trial.device.type == "cuda":
                torch.cuda.empty_cache()
        return True

    return fits


def by_counting(trial: Trial, free: int) -> Fits:
    """Whether a share of ``free`` bytes holds what the forward pass keeps, a straight line through two sizes."""
    two, four = saved_bytes(trial, 2), saved_bytes(trial, 4)
    each = (four - two) / 2
    fixed = two - 2 * each + (1 + _STATE) * trial.parameter_bytes()
    return lambda size: fixed + size * each <= _MEMORY_SHARE * free


def saved_bytes(trial: Trial, size: int) -> int:
    """Bytes that the forward pass of ``size`` samples keeps for the backward pass, weights included."""
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor.detach()  # keeps the memory, and with it the address, without a cycle through the graph

    with torch.autograd.graph.saved_tensors_hooks(note, _unchanged):
        loss = trial.forward(size)
    del loss
    return sum(kept.values())


def _memory_to_use() -> int:
    free = free_memory()
    return _UNKNOWN_MEMORY if free is None else free


def _unchanged(value: Tensor) -> Tensor:
    return value
