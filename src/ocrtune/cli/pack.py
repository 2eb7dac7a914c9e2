"""``ocrtune pack``: a label file and its images as tar shards, for sets that are too large for a folder of files."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

_UNITS = {"": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """``pack LABELS --data_dir DIR --output DIR [--shard-size 256MB] [--task det|rec]`` or ``pack --index DIR``."""
    parser = commands.add_parser(
        "pack",
        help="labelled images to tar shards (webdataset's convention), for sets too large for a folder",
        description="Train on the result with -o Train.dataset.name=TarDataSet -o Train.dataset.data_dir=DIR. "
        "To mix sets, pack each into a sub-folder of DIR.",
    )
    parser.add_argument("labels", metavar="LABELS", nargs="?", type=Path, help="a label file, detection or recognition")
    parser.add_argument("--data_dir", "--data-dir", type=Path, help="the folder that its image paths start from")
    parser.add_argument("--output", type=Path, metavar="DIR", help="the folder for 000000.tar ... and their index")
    parser.add_argument(
        "--shard-size", type=_size, default="256MB", metavar="SIZE", help="of a shard at most; default: 256MB"
    )
    parser.add_argument("--task", choices=("det", "rec"), help="default: what the first label looks like")
    parser.add_argument(
        "--index", type=Path, metavar="DIR", help="only make the index, of shards that were made elsewhere or changed"
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from functools import partial

    from tqdm import tqdm

    from ocrtune.core.errors import ConfigError, Problem
    from ocrtune.data.tar_shards.index import INDEX, write_index
    from ocrtune.data.tar_shards.pack import pack

    if arguments.index is not None:
        count = write_index(arguments.index, partial(tqdm, desc="index", unit="shard", delay=2))
        print(f"wrote {arguments.index / INDEX}: {count:,} samples")
        return
    given = (arguments.labels, arguments.data_dir, arguments.output)
    if None in given:
        what = "expected LABELS, --data_dir and --output, or --index"
        raise ConfigError(Problem("pack", what, "ocrtune pack --help"))
    progress = partial(tqdm, desc="pack", unit="sample", delay=2)
    done = pack(*given, shard_size=arguments.shard_size, task=arguments.task, progress=progress)
    kind = "detection" if done.task == "det" else "recognition"
    print(f"{done.samples:,} samples ({kind}) in {done.shards:,} shards")
    section = "Train.dataset"
    print(f"train on them with -o {section}.name=TarDataSet -o {section}.data_dir={arguments.output}")


def _size(text: str) -> int:
    """Bytes of ``256MB``, ``1GiB`` or ``100000``."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kMGKi]*B?)", text)
    if found is None or found[2] not in _UNITS or float(found[1]) * _UNITS[found[2]] < 1:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a size such as 256MB or 1GB")
    return int(float(found[1]) * _UNITS[found[2]])
