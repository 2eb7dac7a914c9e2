"""Options that the benchmarks against PaddleOCR share."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path


def interpreter(name: str) -> str:
    """The absolute path of an interpreter, which is started from other folders; a link stays one (a venv's python)."""
    found = shutil.which(name)
    if found is None:
        raise argparse.ArgumentTypeError(f"there is no interpreter {name}")
    return os.path.abspath(found)


def add_peer_options(parser: argparse.ArgumentParser) -> None:
    """Where the peer and the images are."""
    parser.add_argument("--paddleocr", type=Path, help="checkout at 79f652f5")
    parser.add_argument(
        "--paddle-python", type=interpreter, default=sys.executable, help="interpreter with paddlepaddle"
    )
    parser.add_argument("--shared", type=Path, default=Path(os.environ.get("OCRTUNE_SHARED", "../shared")))


def add_shared_options(parser: argparse.ArgumentParser) -> None:
    """As :func:`add_peer_options`, and which cases, how often, and where the numbers go."""
    add_peer_options(parser)
    parser.add_argument("--cases", help="comma-separated; default all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--warm-up", type=int, default=3, help="rounds before that do not count: memory settles")
    parser.add_argument("--turn", type=float, default=5, help="seconds of a turn, at least: who waits wakes slowly")
    parser.add_argument("--json", type=Path, help="write everything there as well")
    parser.add_argument("--smoke", action="store_true", help="ocrtune alone, on drawn images: does the script work?")


KEEP_MEMORY = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**36),
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}
"""glibc keeps freed memory, in large pages, instead of asking Linux for it again, as ``ocrtune train`` has it."""


def best_settings(threads: int) -> dict[str, str]:
    """Environment in which PaddleOCR trains fastest: with its MKL's fast path on AMD. Found by hand."""
    return {"OMP_NUM_THREADS": str(threads), "MKL_DEBUG_CPU_TYPE": "5"}
