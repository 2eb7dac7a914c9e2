"""``ocrtune tune``: choose a detector's post-processing on its validation images."""

from __future__ import annotations

import argparse
from pathlib import Path

from ocrtune.cli.config_arguments import add_device_argument


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """``tune RUN [--images N] [--device NAME]``."""
    parser = commands.add_parser("tune", help="choose the thresholds of a trained detector on its validation images")
    parser.add_argument("run_folder", metavar="RUN", type=Path, help="the folder that 'ocrtune train' wrote")
    parser.add_argument(
        "--images", type=_positive, default=200, metavar="N", help="most validation images to use (default 200)"
    )
    add_device_argument(parser)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from ocrtune.training.tune import GRID, tune_run

    tuning = tune_run(arguments.run_folder, device=arguments.device, images=arguments.images)
    print(f"{'':13}{'before':>8}{'after':>8}")
    for name in GRID:
        print(f"{name:13}{getattr(tuning.before, name)!s:>8}{getattr(tuning.after, name)!s:>8}")
    for name in ("precision", "recall", "hmean"):
        print(f"{name:13}{tuning.metrics_before[name]:8.4f}{tuning.metrics_after[name]:8.4f}")
    print(f"{tuning.tried} settings on {tuning.images} validation images")
    changed = tuning.after != tuning.before
    print(f"{'written to' if changed else 'nothing to change in'} {arguments.run_folder / 'config.yml'}")


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number above 0")
    return int(text)
