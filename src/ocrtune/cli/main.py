"""``ocrtune COMMAND ...``. Imports nothing heavy, so that ``--help`` is instant; commands import what they need."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from ocrtune import __version__
from ocrtune.cli import check, convert, evaluate, export, pack, predict, recipes, train, tune, weights
from ocrtune.cli.config_arguments import is_first_process
from ocrtune.core.errors import OcrtuneError

_COMMANDS = (train, evaluate, tune, export, predict, check, convert, pack, recipes, weights)
_OF_TRAINING = ("torch", "safetensors", "numba")  # the packages of the extra "train"
_INTERRUPTED = 130  # 128 + SIGINT, as shells report it


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns 0, 1 (data, weights, training), 2 (config or command line) or 130 (interrupted).

    A user's mistake is told in lines that start with ``error:`` on stderr; OCRTUNE_DEBUG=1 shows the traceback too.
    """
    try:
        arguments = build_parser().parse_args(argv)
        return int(arguments.run(arguments) or 0)
    except SystemExit as stop:  # argparse: --help, or a command line it does not understand
        return stop.code if isinstance(stop.code, int) else 2
    except KeyboardInterrupt:
        return _fail("interrupted", _INTERRUPTED)
    except OcrtuneError as error:
        return _fail(str(error), error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader left, as with `| head`
        return 1
    except OSError as error:
        return _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error), 1)
    except ModuleNotFoundError as error:
        if error.name not in _OF_TRAINING:
            raise
        return _fail(f"{error.name} is not installed, and this command needs it. pip install 'ocrtune[train]'", 1)


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="ocrtune",
        description="Fine-tune PP-OCR text detection and recognition on your own labelled images.",
    )
    parser.add_argument("--version", action="version", version=f"ocrtune {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.add_parser(commands)
    return parser


def _fail(message: str, exit_code: int) -> int:
    if os.environ.get("OCRTUNE_DEBUG") == "1" and exit_code != _INTERRUPTED:
        raise  # the exception that the caller handles
    if not is_first_process():
        return exit_code
    for line in message.splitlines():
        print(f"error: {line}", file=sys.stderr)
    return exit_code
