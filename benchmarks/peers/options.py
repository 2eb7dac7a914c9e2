"""Options that the benchmarks against PaddleOCR share."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path


def add_shared_options(parser: argparse.ArgumentParser) -> None:
    """Where the peer and the images are, which cases, how often, and where the numbers go."""
    parser.add_argument("--paddleocr", type=Path, help="checkout at 79f652f5")
    parser.add_argument("--paddle-python", default=sys.executable, help="interpreter with paddlepaddle")
    parser.add_argument("--shared", type=Path, default=Path(os.environ.get("OCRTUNE_SHARED", "../shared")))
    parser.add_argument("--cases", help="comma-separated; default all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--warm-up", type=int, default=1, help="rounds before that do not count")
    parser.add_argument("--json", type=Path, help="write everything there as well")
    parser.add_argument("--smoke", action="store_true", help="ocrtune alone, on drawn images: does the script work?")
