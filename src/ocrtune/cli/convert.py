"""``ocrtune convert``: LSVT, RCTW, MTWI and ICDAR 2015 as label files to mix with one's own."""

from __future__ import annotations

import argparse
from pathlib import Path

_FORMS = ("lsvt", "rctw", "mtwi", "icdar2015")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """``convert FORM --labels PATH --images DIR --output DIR [--crops] [--skip-missing]``."""
    parser = commands.add_parser("convert", help="public data sets (LSVT, RCTW, MTWI, ICDAR 2015) to label files")
    parser.add_argument("form", choices=_FORMS, metavar="FORM", help=", ".join(_FORMS))
    parser.add_argument(
        "--labels", type=Path, required=True, help="LSVT: train_full_labels.json; others: the folder of .txt files"
    )
    parser.add_argument("--images", type=Path, required=True, help="the folder of images, searched with its subfolders")
    parser.add_argument("--output", type=Path, required=True, help="where det.txt goes")
    parser.add_argument("--crops", action="store_true", help="also cut out every legible text: rec.txt and crops/")
    parser.add_argument("--skip-missing", action="store_true", help="leave labels without an image out, and count them")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from functools import partial

    from tqdm import tqdm

    from ocrtune.data.convert import convert

    done = convert(
        arguments.form,
        arguments.labels,
        arguments.images,
        arguments.output,
        crops=arguments.crops,
        skip_missing=arguments.skip_missing,
        progress=partial(tqdm, desc="crops", unit="page", delay=2),
    )
    print(f"{done.pages:,} pages with {done.texts:,} texts, {done.ignored:,} of them ignored (illegible)")
    if done.missing:
        print(f"{done.missing:,} labels have no image and were left out")
    if done.lines:
        print(f"{done.lines:,} recognition lines")
    print("wrote " + ", ".join(map(str, done.files)))
