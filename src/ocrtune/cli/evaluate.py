"""``ocrtune eval``: the metrics of a run, or of released weights, on labelled images."""

from __future__ import annotations

import argparse
from pathlib import Path

from ocrtune.cli.config_arguments import add_config_arguments, load, overrides_of
from ocrtune.core.errors import ConfigError, Problem


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """``eval RUN`` or ``eval -c FILE_OR_RECIPE``, with ``[-o KEY=VALUE ...] [--weights FILE] [--json FILE]``."""
    parser = commands.add_parser("eval", help="measure a run or released weights on labelled images")
    parser.add_argument("run_folder", metavar="RUN", nargs="?", type=Path, help="the folder that 'ocrtune train' wrote")
    add_config_arguments(parser, required=False)
    parser.add_argument(
        "--weights",
        metavar="FILE",
        help="weights to measure: a file, a run folder or a catalogue name; "
        "default: the best checkpoint of RUN, or Global.pretrained_model of the config",
    )
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the metrics to this file as well")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    raise ConfigError(Problem("eval", "unfinished"))
