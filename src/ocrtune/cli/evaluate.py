"""``ocrtune eval``: the metrics of a run, or of released weights, on labelled images."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ocrtune.cli.config_arguments import add_config_arguments, add_device_argument, load, overrides_of
from ocrtune.core.errors import ConfigError, Problem

if TYPE_CHECKING:
    from ocrtune.codec.language import Language

_CONFIG = "config.yml"


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
    parser.add_argument(
        "--both-ways",
        action="store_true",
        help="recognition: read each crop upside down as well and keep the surer text, as "
        "'ocrtune predict --both_ways' does",
    )
    parser.add_argument(
        "--language-labels",
        metavar="FILE",
        type=Path,
        help="recognition: read with what the texts of this label file say of words, case and punctuation; give those "
        "of the training set, never those that are measured",
    )
    parser.add_argument(
        "--language-words",
        metavar="FILE",
        type=Path,
        help="recognition: read with a list of words as well; a line is a word, or a word, a tab and its frequency",
    )
    add_device_argument(parser)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    path, start = _config_file(arguments), _start(arguments)
    from ocrtune.training.run import evaluate_config

    needed = ("Eval",) if arguments.run_folder and not arguments.weights else ("Global", "Eval")
    config = load(path, [*overrides_of(arguments), *start], needed)
    metrics = evaluate_config(
        config, device=arguments.device, both_ways=arguments.both_ways, language=_language(arguments)
    )
    print(_table(metrics))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(dict(metrics), indent=2) + "\n", encoding="utf-8")
        print(f"wrote {arguments.json}")


def _language(arguments: argparse.Namespace) -> Language | None:
    if arguments.language_labels is None and arguments.language_words is None:
        return None
    from ocrtune.codec.language import read_language

    return read_language(arguments.language_labels, arguments.language_words)


def _config_file(arguments: argparse.Namespace) -> Path:
    """The config of RUN, or the file or recipe after ``-c``; exactly one of them must be given."""
    if (arguments.run_folder is None) == (arguments.config is None):
        raise ConfigError(Problem("eval", "expected a run folder or -c, one of them", "ocrtune eval --help"))
    if arguments.run_folder is None:
        from ocrtune.config.recipes import find_config

        return find_config(arguments.config)
    path: Path = arguments.run_folder / _CONFIG
    if not path.is_file():
        what = f"not a run folder: it has no {_CONFIG}"
        raise ConfigError(Problem(str(arguments.run_folder), what, "give the folder that 'ocrtune train' wrote"))
    return path


def _start(arguments: argparse.Namespace) -> list[str]:
    """The overrides that make ``Global`` name the weights to measure."""
    if arguments.weights:
        return ["Global.checkpoints=", f"Global.pretrained_model={json.dumps(arguments.weights)}"]
    if arguments.run_folder is not None:
        return [f"Global.checkpoints={json.dumps(str(arguments.run_folder))}", "Global.pretrained_model="]
    return []


def _table(metrics: Mapping[str, float]) -> str:
    width = max(map(len, metrics))
    return "\n".join(
        f"{name:<{width}}  {value:.0f}" if float(value).is_integer() and value > 1 else f"{name:<{width}}  {value:.4f}"
        for name, value in metrics.items()
    )
