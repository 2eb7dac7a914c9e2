"""``ocrtune check``: look at the configuration and the labelled data without training."""

from __future__ import annotations

import argparse

from ocrtune.cli.config_arguments import add_config_arguments, load, overrides_of


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """``check -c FILE_OR_RECIPE [-o KEY=VALUE ...]``."""
    parser = commands.add_parser(
        "check", help="look for mistakes in the config and the labelled data, without training"
    )
    add_config_arguments(parser)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from ocrtune.config.loader import FILES_OF_A_RUN
    from ocrtune.config.recipes import find_config
    from ocrtune.training.check import check_config

    check_config(load(find_config(arguments.config), overrides_of(arguments), FILES_OF_A_RUN))
    print("ready to train")
