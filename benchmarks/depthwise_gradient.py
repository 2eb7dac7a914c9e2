"""Forward and backward of one depthwise convolution: PyTorch's gradient of the weight against ours, A B A B.

    python benchmarks/depthwise_gradient.py --rounds 5

The shapes are those of PP-OCRv2 recognition (batch 32, 128 pixels), of PP-OCRv4 mobile detection (batch 4, 640) and of
the dilated branches of PP-OCRv6 small detection (batch 4, 640).
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time

import torch
from torch import nn

from ocrtune.training.depthwise import speed_up_depthwise_

SHAPES = [  # batch, channels, height, width, kernel, stride, dilation
    (32, 256, 4, 64, 5, (1, 1), 1),
    (32, 256, 4, 64, 5, (2, 1), 1),
    (32, 512, 2, 64, 5, (1, 1), 1),
    (4, 24, 160, 160, 5, (2, 2), 1),
    (4, 48, 80, 80, 5, (1, 1), 1),
    (4, 96, 160, 160, 7, (1, 1), 1),
    (4, 96, 160, 160, 3, (1, 1), 2),
    (4, 96, 160, 160, 3, (1, 1), 3),
]


def seconds(layer: nn.Module, x: torch.Tensor) -> float:
    """One forward and backward pass."""
    started = time.perf_counter()
    layer(x).sum().backward()
    return time.perf_counter() - started


def main() -> None:
    """Print one line per shape: milliseconds of both, and the median of the ratios of the rounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    print(f"{torch.get_num_threads()} threads, median of {rounds} rounds")
    for batch, channels, height, width, kernel, stride, dilation in SHAPES:
        layer = nn.Conv2d(
            channels, channels, kernel, stride, dilation * (kernel // 2), dilation, groups=channels, bias=False
        )
        plain = nn.Sequential(layer).to(memory_format=torch.channels_last)
        fast = copy.deepcopy(plain)
        speed_up_depthwise_(fast)
        x = torch.randn(batch, channels, height, width).to(memory_format=torch.channels_last).requires_grad_()
        for model in (plain, fast):
            seconds(model, x)
        pairs = [(seconds(plain, x), seconds(fast, x)) for _ in range(rounds)]
        a, b = (1000 * statistics.median(column) for column in zip(*pairs, strict=True))
        ratio = statistics.median(one / two for one, two in pairs)
        shape = f"{batch} x {channels} x {height} x {width}, {kernel}x{kernel}, stride {stride}, dilation {dilation}"
        print(f"{shape:58s} PyTorch {a:7.2f} ms, ours {b:7.2f} ms: {ratio:.2f}x")


if __name__ == "__main__":
    main()
