"""What a training step must at least take: its arithmetic, the bytes it moves, the operators it launches."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

aten = torch.ops.aten

_TRIES = 5
_SIDE = 2048  # of the matrices that show how fast this machine multiplies
_COPY_BYTES = 256 * 2**20  # beyond any cache
_SMALL_CALLS = 2000


def measure_bounds(step: Callable[[], Any], precision: torch.dtype) -> dict[str, float]:
    """Of one ``step`` on the CPU: gflop, gib moved by its operators one by one (nothing fused), operators; and of this
    machine: gflops (in ``precision``), gib_per_second, microseconds per operator; and the seconds that each bounds."""
    counter = Counter()
    with counter:
        step()
    rate, bandwidth, launch = _multiply_rate(precision), _copy_rate(), _launch_time()
    gflop, gib = counter.flop / 1e9, counter.bytes / 2**30
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


class Counter(TorchDispatchMode):
    """Counts operators, their arithmetic, and the bytes of the tensors that they read and write; views move nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.flop = 0
        self.bytes = 0
        self.operators = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        found = func(*args, **kwargs)
        self.operators += 1
        self.flop += _flop(func, args, found)
        if not func.is_view:
            tensors = [value for value in tree_leaves((args, kwargs, found)) if isinstance(value, Tensor)]
            self.bytes += sum(value.numel() * value.element_size() for value in tensors)
        return found


def _flop(func: Any, args: Any, found: Any) -> int:
    """Of convolutions, products of matrices and LSTMs; everything else counts as bytes.

    PyTorch's own counter takes the weight gradient of a depthwise convolution for that of a full one.
    """
    if func is aten.convolution.default:
        image, weight, transposed = args[0], args[1], args[6]
        return 2 * (image if transposed else found).numel() * weight[0].numel()
    if func is aten.convolution_backward.default:
        gradient, image, weight, transposed, mask = args[0], args[1], args[2], args[7], args[10]
        return 2 * (image if transposed else gradient).numel() * weight[0].numel() * sum(mask[:2])
    if func in (aten.mm.default, aten.bmm.default):
        return 2 * found.numel() * args[0].shape[-1]
    if func in (aten.addmm.default, aten.baddbmm.default):
        return 2 * found.numel() * args[1].shape[-1]
    if func is aten.mkldnn_rnn_layer.default:
        return 2 * args[0].shape[0] * args[0].shape[1] * (args[1].numel() + args[2].numel())
    if func is aten.mkldnn_rnn_layer_backward.default:
        return 4 * args[0].shape[0] * args[0].shape[1] * (args[1].numel() + args[2].numel())
    return 0


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
