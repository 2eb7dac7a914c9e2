"""``ocrtune train``: fine-tune a model."""

from __future__ import annotations

import argparse
import json

from ocrtune.cli.config_arguments import add_config_arguments, add_device_argument, load, overrides_of


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """``train -c FILE_OR_RECIPE [-o KEY=VALUE ...] [--resume RUN | --init-from WEIGHTS] [--freeze PART ...] ...``."""
    parser = commands.add_parser("train", help="fine-tune a model on labelled images")
    add_config_arguments(parser)
    add_device_argument(parser)
    start = parser.add_mutually_exclusive_group()
    start.add_argument("--resume", metavar="RUN", help="go on with the run in this folder (Global.checkpoints)")
    start.add_argument(
        "--init-from", metavar="WEIGHTS", help="a new run from a file, a run folder or a name (Global.pretrained_model)"
    )
    parser.add_argument(
        "--freeze", action="append", metavar="PART", help="keep this part as it is, such as backbone; may be repeated"
    )
    parser.add_argument("--max-minutes", type=float, metavar="M", help="stop after so many minutes, with what is best")
    parser.add_argument("--early-stop", type=int, metavar="N", help="stop after N evaluations without a new best")
    parser.add_argument(
        "--interpolate",
        type=float,
        nargs="+",
        metavar="A",
        help="afterwards keep (1 - A) x base + A x tuned weights, such as 0.5; of several, the best on validation",
    )
    parser.add_argument(
        "--profile", type=int, metavar="N", help="record N steps with PyTorch's profiler into the run folder, and stop"
    )
    parser.add_argument(
        "--find-lr",
        action="store_true",
        help="instead of training: raise the learning rate over 100 steps, draw the loss and suggest a rate",
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from ocrtune.config.loader import FILES_OF_A_RUN
    from ocrtune.config.recipes import find_config
    from ocrtune.training.allocator import FreedMemory, use_large_pages
    from ocrtune.training.threads import let_threads_sleep

    let_threads_sleep()
    use_large_pages()
    from ocrtune.training.run import train

    config = load(find_config(arguments.config), [*_short_forms(arguments), *overrides_of(arguments)], FILES_OF_A_RUN)
    if arguments.find_lr:
        from ocrtune.training.find_rate import find_rate

        find_rate(config, device=arguments.device)
    else:
        train(config, device=arguments.device, after_step=FreedMemory().after_step)


def _short_forms(arguments: argparse.Namespace) -> list[str]:
    """The overrides that the options stand for; an explicit ``-o`` comes later and wins."""
    values = {
        "checkpoints": _quoted(arguments.resume),
        "pretrained_model": _quoted(arguments.init_from),
        "freeze": f"[{', '.join(arguments.freeze)}]" if arguments.freeze else None,
        "max_minutes": arguments.max_minutes,
        "early_stop": arguments.early_stop,
        "interpolate": arguments.interpolate,
        "profile": arguments.profile,
    }
    return [f"Global.{key}={value}" for key, value in values.items() if value is not None]


def _quoted(text: str | None) -> str | None:
    """``text`` as YAML text, whatever is in it: a folder called 2026 is no number."""
    return None if text is None else json.dumps(text, ensure_ascii=False)
