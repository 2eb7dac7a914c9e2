"""``ocrtune export``: a run as an ONNX file that RapidOCR, PaddleOCR's tools and ``ocrtune predict`` take."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ocrtune.export.run import ExportReport


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """``export RUN --output DIR [--checkpoint best|latest] [--network NAME] [--gate_images N]``."""
    parser = commands.add_parser("export", help="write a trained model as ONNX, checked on the validation images")
    parser.add_argument("run_folder", metavar="RUN", type=Path, help="the folder that 'ocrtune train' wrote")
    parser.add_argument(
        "--output", required=True, metavar="DIR", type=Path, help="gets inference.onnx and inference.yml"
    )
    parser.add_argument("--checkpoint", choices=("best", "latest"), default="best", help="default: best")
    parser.add_argument(
        "--network",
        metavar="NAME",
        help="which network of a distilled run; default: the one of Metric.key, the student",
    )
    parser.add_argument(
        "--gate_images",
        type=int,
        default=100,
        metavar="N",
        help="validation images that must give the same result in PyTorch and in the exported file (default 100); "
        "0 exports unchecked",
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from ocrtune.export.run import export_run
    from ocrtune.training.checkpoint import BEST, LATEST

    checkpoint = BEST if arguments.checkpoint == "best" else LATEST
    report = export_run(
        arguments.run_folder,
        arguments.output,
        checkpoint=checkpoint,
        gate_images=arguments.gate_images,
        network=arguments.network,
    )
    _print(report)


def _print(report: ExportReport) -> None:
    for note in report.notes:
        print(f"note: {note}", file=sys.stderr)
    print(f"from   {report.checkpoint}")
    print(f"model  {report.model}")
    if report.gate is not None:
        gate = report.gate
        print(
            f"gate   {gate.agreement:.1%} of {gate.images} validation images give the same result; "
            f"{gate.metric} {gate.torch_metric:.4f} in PyTorch, {gate.onnx_metric:.4f} in the file; "
            f"probabilities differ by at most {gate.max_abs_diff:.1e}"
        )
        for line in gate.differences:
            print(f"       {line}")
