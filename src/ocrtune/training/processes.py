"""The processes that train one run together, started by ``torchrun``; a run of one process is the usual case.

Every process builds the same run, learns from its slice of each batch and changes its weights alike; the process of
rank 0 alone prints and writes. They talk through Hugging Face accelerate, which is imported only when there are
several. Between two collectives on tensors there is always a :meth:`Processes.gather`, where a process can say
instead that it failed: so an error in one of them ends all of them.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar, cast

import torch
from torch import Tensor, nn

from ocrtune.core.errors import ConfigError, OcrtuneError, Problem, TrainingError
from ocrtune.data.shard import Shard

T = TypeVar("T")
_TIMEOUT = timedelta(hours=2)  # the others may wait for rank 0 while it measures or writes
_BUCKET = 2**23  # most values of one message to the other processes, 32 MiB in float32


@dataclass(frozen=True)
class _Failure:
    """What a process sends where the others send a value."""

    error: OcrtuneError


@dataclass
class Processes:
    """This process and the others. ``Processes()`` is alone: every method does nothing, at no cost.

    rank: number of this process, from 0. world: number of processes, over all machines. device: what this process
    computes on, None where it is alone and free to choose. synchronised: the network itself talks to the other
    processes (SyncBatchNorm), so that they must go forward and backward together.
    """

    rank: int = 0
    world: int = 1
    device: torch.device | None = None
    synchronised: bool = False

    def __post_init__(self) -> None:
        self._told = False  # all processes know of an error

    @property
    def is_main(self) -> bool:
        """Whether this process is the one that prints and writes."""
        return self.rank == 0

    @property
    def shard(self) -> Shard:
        """This process's part of the data."""
        return Shard(self.rank, self.world)

    def gather(self, value: T) -> list[T]:
        """``value`` of every process, by rank, in every process; all must call it.

        Raises in every process the OcrtuneError with which one of them failed since the last time.
        """
        if self.world == 1:
            return [value]
        found = self._exchange(value)
        failures = [told.error for told in found if isinstance(told, _Failure)]
        if failures:
            self._told = True
            raise failures[0]
        return cast("list[T]", found)

    def decided(self, decide: Callable[[], T]) -> T:
        """What rank 0 decides, in every process; the others do not call ``decide``."""
        if self.world == 1:
            return decide()
        return cast("T", self.gather(decide() if self.is_main else None)[0])

    def any(self, flag: bool) -> bool:
        """Whether ``flag`` is true in any process."""
        return any(self.gather(flag))

    def sum_(self, tensors: Sequence[Tensor], weight: float) -> None:
        """Replace each tensor by the sum over all processes of ``weight`` times it. Call :meth:`gather` before."""
        from accelerate.utils import reduce

        for bucket in _buckets(tensors):
            _spread(reduce(_joined(bucket).mul_(weight), reduction="sum"), bucket)

    def copy_(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by rank 0's."""
        if self.world == 1:
            return
        from accelerate.utils import broadcast

        self.gather(None)
        with torch.no_grad():
            for bucket in _buckets(tensors):
                _spread(broadcast(_joined(bucket)), bucket)

    def _exchange(self, value: object) -> list[object]:
        from accelerate.utils import gather_object

        try:
            return cast("list[object]", gather_object([value]))
        except RuntimeError as error:
            self._told = True
            what, fix = "another process has ended", "its own message says why"
            raise TrainingError(Problem(f"process {self.rank}", what, fix)) from error

    @contextmanager
    def _together(self) -> Iterator[None]:
        """An error inside is told to the others, and nobody leaves before all are done."""
        try:
            yield
            self.gather(None)
        except OcrtuneError as error:
            self._tell(error)
            raise
        except Exception as error:
            self._tell(TrainingError(Problem(f"process {self.rank}", f"{type(error).__name__}: {error}")))
            raise

    def _tell(self, error: OcrtuneError) -> None:
        if self._told:
            return
        if self.synchronised:  # the others may be waiting inside the network: torchrun ends them
            print(f"error: process {self.rank}: {error}", file=sys.stderr, flush=True)
            return
        self._told = True
        self._exchange(_Failure(error))


@contextmanager
def processes_of(device: str | None = None) -> Iterator[Processes]:
    """The processes that ``torchrun`` started, connected; one alone when it did not.

    device: "cuda" or "cpu"; None takes a GPU for each process where there are GPUs, else the CPU.
    Raises ConfigError when accelerate is missing, when a machine has fewer GPUs than processes, or for one fixed GPU.
    An OcrtuneError inside is raised in every process.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or "LOCAL_RANK" not in os.environ:
        yield Processes()
        return
    processes = _connect(device)
    with processes._together():
        yield processes
    torch.distributed.destroy_process_group()


def _connect(device: str | None) -> Processes:
    try:
        from accelerate import PartialState
    except ModuleNotFoundError as error:
        what, fix = "several processes need the package accelerate", "pip install 'ocrtune[distributed]'"
        raise ConfigError(Problem("torchrun", what, fix)) from error
    # its functions take the group of that moment as default and keep it: imported later, as torch.compile does, they
    # would keep gloo's threads alive, which abort the process now and then while Python ends
    importlib.import_module("torch.distributed.nn.functional")
    on_cpu = device == "cpu" or (device is None and not torch.cuda.is_available())
    if device not in (None, "cpu", "cuda"):
        raise ConfigError(
            Problem("--device", f"'{device}' is one for all processes", "leave it out, or say cpu or cuda")
        )
    here, gpus = int(os.environ.get("LOCAL_WORLD_SIZE", "1")), torch.cuda.device_count()
    if not on_cpu and here > gpus:
        what, fix = f"{here} processes on a machine with {gpus} GPUs", f"--nproc-per-node {gpus}, or --device cpu"
        raise ConfigError(Problem("torchrun", what, fix))
    state = PartialState(cpu=on_cpu, backend="gloo" if on_cpu else "nccl", timeout=_TIMEOUT)
    return Processes(state.process_index, state.num_processes, torch.device("cpu") if on_cpu else state.device)


def with_synchronised_norms(model: nn.Module, processes: Processes) -> nn.Module:
    """``model`` with SyncBatchNorm for BatchNorm, under the same names, where there are other processes.

    ConfigError when they compute on the CPU, where PyTorch has no SyncBatchNorm.
    """
    if processes.world == 1:
        return model
    if processes.device is None or processes.device.type != "cuda":
        what = "BatchNorm is synchronised between GPUs only, and these processes compute on the CPU"
        raise ConfigError(Problem("Global.use_sync_bn", what, "set it to false"))
    processes.synchronised = True
    convert: Callable[[nn.Module], nn.Module] = nn.SyncBatchNorm.convert_sync_batchnorm
    return convert(model)


def _buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Neighbours of one type, up to ``_BUCKET`` values together, a larger tensor alone."""
    bucket: list[Tensor] = []
    for tensor in tensors:
        full = sum(other.numel() for other in bucket) + tensor.numel() > _BUCKET
        if bucket and (full or bucket[0].dtype != tensor.dtype):
            yield bucket
            bucket = []
        bucket.append(tensor)
    if bucket:
        yield bucket


def _joined(tensors: Sequence[Tensor]) -> Tensor:
    """(M,) all values of ``tensors``, a copy."""
    return torch.cat([tensor.detach().reshape(-1) for tensor in tensors])


def _spread(values: Tensor, tensors: Sequence[Tensor]) -> None:
    """The inverse of :func:`_joined`, into ``tensors`` whatever their memory format."""
    for tensor, part in zip(tensors, torch.split(values, [tensor.numel() for tensor in tensors])):
        tensor.copy_(part.view(tensor.shape))
