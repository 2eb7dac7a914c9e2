"""What a training step must at least take: its arithmetic, the bytes it moves, the operators it launches."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

_TRIES = 5
_SIDE = 2048  # of the matrices that show how fast this machine multiplies
_COPY_BYTES = 256 * 2**20  # beyond any cache
_SMALL_CALLS = 2000


def measure_bounds(step: Callable[[], Any], precision: torch.dtype) -> dict[str, float]:
    """Of one ``step`` on the CPU: gflop, gib moved by its operators one by one (nothing fused), operators; and of this
    machine: gflops (in ``precision``), gib_per_second, microseconds per operator; and the seconds that each bounds."""
    counter = _Counter()
    with FlopCounterMode(display=False) as flops, counter:
        step()
    rate, bandwidth, launch = _multiply_rate(precision), _copy_rate(), _launch_time()
    gflop, gib = flops.get_total_flops() / 1e9, counter.bytes / 2**30
    return {
        "gflop": gflop,
        "gib": gib,
        "operators": counter.operators,
        "gflops": rate,
        "gib_per_second": bandwidth,
        "microseconds": launch * 1e6,
        "arithmetic_seconds": gflop / rate,
        "bytes_seconds": gib / bandwidth,
        "launch_seconds": counter.operators * launch,
    }


class _Counter(TorchDispatchMode):
    """Counts operators and the bytes of the tensors that they read and write; views move nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0
        self.operators = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        found = func(*args, **kwargs)
        self.operators += 1
        if not func.is_view:
            tensors = [value for value in tree_leaves((args, kwargs, found)) if isinstance(value, Tensor)]
            self.bytes += sum(value.numel() * value.element_size() for value in tensors)
        return found


def _fastest(run: Callable[[], Any]) -> float:
    """Seconds of the fastest of some tries, after one to warm up."""
    run()
    times = []
    for _ in range(_TRIES):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def _multiply_rate(precision: torch.dtype) -> float:
    """GFLOP/s of a large product of matrices."""
    a = torch.randn(_SIDE, _SIDE).to(precision)
    return 2 * _SIDE**3 / _fastest(lambda: a @ a) / 1e9


def _copy_rate() -> float:
    """GiB/s read and written by a copy."""
    source = torch.zeros(_COPY_BYTES, dtype=torch.uint8)
    target = torch.empty_like(source)
    return 2 * _COPY_BYTES / _fastest(lambda: target.copy_(source)) / 2**30


def _launch_time() -> float:
    """Seconds that an operator takes when it has nothing to do."""
    tiny = torch.zeros(1)

    def calls() -> None:
        for _ in range(_SMALL_CALLS):
            tiny.add_(0)

    return _fastest(calls) / _SMALL_CALLS
