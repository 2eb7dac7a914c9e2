"""``ocrtune tune``: choose a detector's post-processing and scale on its validation images."""

from __future__ import annotations

import argparse
from pathlib import Path

from ocrtune.cli.config_arguments import add_device_argument


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """``tune RUN [--scales SIDE ...] [--images N] [--device NAME]``."""
    text = "choose thresholds and scale of a trained detector on its validation images"
    parser = commands.add_parser("tune", help=text)
    parser.add_argument("run_folder", metavar="RUN", type=Path, help="the folder that 'ocrtune train' wrote")
    parser.add_argument(
        "--images", type=_positive, default=200, metavar="N", help="most validation images to use (default 200)"
    )
    parser.add_argument(
        "--scales",
        type=_positive,
        nargs="+",
        default=[],
        metavar="SIDE",
        help="sides in pixels to try as well, such as 960 1280 1600: larger finds smaller text and takes longer",
    )
    add_device_argument(parser)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from ocrtune.training.tune import GRID, tune_run

    folder, images = arguments.run_folder, arguments.images
    tuning = tune_run(folder, device=arguments.device, images=images, scales=arguments.scales)
    if len(tuning.scales) > 1:
        print(f"{'scale':13}{'hmean':>8}{'tuned':>8}  megapixels a page")
        seen: dict[float, str] = {}
        for at in tuning.scales:
            before, after = at.tuning.metrics_before["hmean"], at.tuning.metrics_after["hmean"]
            same = seen.setdefault(at.megapixels, at.scale)
            note = "chosen" * (at.scale == tuning.scale) if same == at.scale else f"as {same}: 'max' enlarges no page"
            print(f"{at.scale:13}{before:8.4f}{after:8.4f}{at.megapixels:8.2f}  {note}".rstrip())
    print(f"{'':13}{'before':>8}{'after':>8}")
    for name in GRID:
        print(f"{name:13}{getattr(tuning.before, name)!s:>8}{getattr(tuning.after, name)!s:>8}")
    for name in ("precision", "recall", "hmean"):
        print(f"{name:13}{tuning.metrics_before[name]:8.4f}{tuning.metrics_after[name]:8.4f}")
    print(f"{tuning.tried} settings on {tuning.images} validation images")
    print(f"{'written to' if tuning.changed else 'nothing to change in'} {folder / 'config.yml'}")


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number above 0")
    return int(text)
