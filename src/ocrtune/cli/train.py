"""``ocrtune train``: fine-tune a model."""

from __future__ import annotations

import argparse

from ocrtune.cli.config_arguments import add_config_arguments, add_device_argument, load, overrides_of


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """``train -c FILE_OR_RECIPE [-o KEY=VALUE ...] [--device NAME]``."""
    parser = commands.add_parser("train", help="fine-tune a model on labelled images")
    add_config_arguments(parser)
    add_device_argument(parser)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from ocrtune.config.loader import FILES_OF_A_RUN
    from ocrtune.config.recipes import find_config
    from ocrtune.training.run import train

    config = load(find_config(arguments.config), overrides_of(arguments), FILES_OF_A_RUN)
    train(config, device=arguments.device)
