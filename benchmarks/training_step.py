"""One recognition training step (PP-OCRv6 small), measured A B A B in one process.

Claims: memory in channels_last beats the default layout; crops at their own width beat crops padded to 320 pixels.
Prints the median of the per-round ratios; above 1 means that the second variant is faster.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ocrtune.training.precision import placed
from ocrtune.weights.released import load_released

ROUNDS = 3
BATCH = 8


def step(model: nn.Module, images: Tensor) -> None:
    """Forward, CTC loss, backward; the released network in eval mode: its BatchNorms are folded, no guidance head."""
    logits = model(images)["ctc"]
    steps = logits.shape[1]
    labels = torch.randint(1, logits.shape[2], (len(images), 5))
    lengths = torch.full((len(images),), steps), torch.full((len(images),), 5)
    nn.functional.ctc_loss(logits.log_softmax(-1).transpose(0, 1), labels, *lengths).backward()


def seconds(run: Callable[[], None]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def compare(name: str, a: Callable[[], None], b: Callable[[], None]) -> None:
    """Print by what factor ``b`` is faster than ``a``."""
    for warm_up in (a, b):
        warm_up()
    rounds = [(seconds(a), seconds(b)) for _ in range(ROUNDS)]
    ratio = statistics.median(first / second for first, second in rounds)
    medians = [statistics.median(column) for column in zip(*rounds)]
    print(f"{name}: {ratio:.2f} x ({medians[0]:.2f} s against {medians[1]:.2f} s, {ROUNDS} rounds)")


def main() -> None:
    plain, _, _ = load_released("PP-OCRv6_small_rec")
    fast, _, _ = load_released("PP-OCRv6_small_rec")
    placed(fast, torch.device("cpu"))
    wide = torch.randn(BATCH, 3, 48, 320)
    narrow = torch.randn(BATCH, 3, 48, 160)
    last = torch.channels_last
    compare(
        "channels_last against the default layout",
        lambda: step(plain, wide),
        lambda: step(fast, wide.to(memory_format=last)),
    )
    compare(
        "crops 160 pixels wide against the same padded to 320",
        lambda: step(fast, wide.to(memory_format=last)),
        lambda: step(fast, narrow.to(memory_format=last)),
    )


if __name__ == "__main__":
    main()
