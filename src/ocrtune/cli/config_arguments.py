"""``-c`` and ``-o``, the same for every command that takes a configuration."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ocrtune.config import RunConfig


def add_config_arguments(parser: argparse.ArgumentParser, required: bool = True) -> None:
    """``-c FILE_OR_RECIPE`` and any number of ``-o Section.key=value``."""
    parser.add_argument(
        "-c",
        "--config",
        required=required,
        metavar="FILE_OR_RECIPE",
        help="a YAML file in PaddleOCR's form, or the name of a recipe, such as rec/PP-OCRv6_small",
    )
    add_override_argument(parser)


def add_override_argument(parser: argparse.ArgumentParser) -> None:
    """Any number of ``-o Section.key=value``."""
    parser.add_argument(
        "-o",
        "--override",
        action="append",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="change one value of the config, such as Global.epoch_num=3; may be repeated",
    )


def add_device_argument(parser: argparse.ArgumentParser) -> None:
    """``--device``."""
    parser.add_argument("--device", metavar="NAME", help="cpu, cuda, cuda:1, ...; default: a GPU when there is one")


def overrides_of(arguments: argparse.Namespace) -> list[str]:
    """All ``-o`` values in order; PaddleOCR's ``-o a=1 b=2`` is understood too."""
    return [override for group in arguments.override for override in group]


def load(path: Path | str, overrides: Sequence[str], files_of: Collection[str]) -> RunConfig:
    """The configuration, checked against every registered component; its notices go to stderr.

    files_of: the sections whose files must exist, see :func:`ocrtune.config.load_config`.
    """
    from ocrtune.config import load_config
    from ocrtune.training.registries import all_registries

    loaded = load_config(path, overrides, all_registries(), files_of)
    for notice in loaded.notices if is_first_process() else ():
        print(f"note: {notice}", file=sys.stderr)
    return loaded.config


def is_first_process() -> bool:
    """Whether this process is the one that talks: of several that torchrun started, the first of each machine."""
    return os.environ.get("LOCAL_RANK", "0") == "0"
