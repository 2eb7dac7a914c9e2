"""``ocrtune export``: a run as an ONNX file that RapidOCR, PaddleOCR's tools and ``ocrtune predict`` take."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """``export RUN --output DIR``."""
    parser = commands.add_parser("export", help="write a trained model as ONNX, checked on the validation images")
    parser.add_argument("run_folder", metavar="RUN", type=Path, help="the folder that 'ocrtune train' wrote")
    parser.add_argument(
        "--output", required=True, metavar="DIR", type=Path, help="gets the ONNX file and inference.yml"
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from ocrtune.export.run import export_run

    print(export_run(arguments.run_folder, arguments.output))
