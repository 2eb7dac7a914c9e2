"""Samples per second of ocrtune's training data against PaddleOCR's own pipeline, same YAML, same images, one core.

    make bench-data PADDLEOCR=checkout [PADDLE_PYTHON=python] [ARGS="--cases det-v2-native,rec-v2 --rounds 5"]

All work on the same core, turn by turn; a turn makes passes over the set for five seconds (``--turn``) or more. Prints
the median of the ratios of each round. Reading, decoding, augmentation and the making of targets are inside; batching
and copies between processes not. ocrtune runs twice: decoding every image anew, as in the first epoch, and with the
decoded images of the passes before kept in memory (``Train.loader.cache_images``, on by default), as in later epochs of
a set that there is room for.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from peers import machine
from peers.cases import DATA, KEYS_V1, RECIPE_OVERRIDES, DataCase, paddleocr_configs
from peers.data_sets import crop_set, page_set
from peers.dictionary import digits
from peers.made_sets import LabelledSet, make_set
from peers.options import add_shared_options
from peers.workers import RESERVE_GIB, Stack, Worker, WorkerFailed, ratio, take_turns

OURS, CACHED, THEIRS = "ocrtune", "ocrtune, decoded images kept", "PaddleOCR"
RECIPES = Path(__file__).parent.parent / "recipes"
SMOKE = (
    DataCase("det-smoke", "det/PP-OCRv2_student.yml", 2, 0),
    DataCase("rec-smoke", "rec/PP-OCRv2.yml", 4, 0, frame=(320, 32)),
)
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def stacks(paddle_python: str, smoke: bool) -> list[Stack]:
    """PaddleOCR and both of ocrtune's; the latter alone in a smoke test."""
    ours = [
        Stack(name, sys.executable, "data_ocrtune", {**_ONE_THREAD, "CACHE": cache})
        for name, cache in ((OURS, "0"), (CACHED, "auto"))
    ]
    return ours if smoke else [Stack(THEIRS, paddle_python, "data_paddle", _ONE_THREAD), *ours]


def labelled_set(case: DataCase, args: Any, folder: Path) -> LabelledSet:
    """The images of a case, below ``folder`` where they are not the originals."""
    if args.smoke:
        return make_set(folder, case.kind, case.samples, (240, 320) if case.kind == "det" else (32, 128))
    if case.kind == "rec":
        return crop_set(folder, args.shared, case.samples)
    return page_set(folder, args.shared, case.samples, case.longest)


def measure(case: DataCase, args: Any) -> dict[str, Any]:
    """The rounds of one case: by stack what it says of itself and its answers. Raises WorkerFailed."""
    with ExitStack() as ended, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = labelled_set(case, args, folder / "set")
        configs = RECIPES if args.smoke else paddleocr_configs(args.shared, args.paddleocr)
        request = {
            "kind": case.kind,
            "config": str((configs / case.config).resolve()),
            "labels": str(data.labels),
            "data": str(data.folder),
            "dictionary": str(_dictionary(args, folder).resolve()) if case.kind == "rec" else None,
            "frame": case.frame,
            "core": max(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
            "paddleocr": str(args.paddleocr.resolve()) if args.paddleocr else None,
            "more": RECIPE_OVERRIDES[case.kind] if args.smoke else [],
        }
        reserve = 0.0 if args.smoke else RESERVE_GIB
        workers = [ended.enter_context(Worker(s, request, reserve)) for s in stacks(args.paddle_python, args.smoke)]
        answers = take_turns(workers, args.rounds, args.warm_up, 0 if args.smoke else args.turn)
        return {"about": {worker.stack.name: worker.about for worker in workers}, "answers": answers}


def _dictionary(args: Any, folder: Path) -> Path:
    return digits(folder) if args.smoke else Path(args.paddleocr, KEYS_V1)


def report(case: DataCase, result: dict[str, Any]) -> None:
    """What was measured, for people."""
    times = {name: [answer["seconds"] for answer in found] for name, found in result["answers"].items()}
    count = result["answers"][OURS][0]["samples"]
    print(f"\n{case.name}: {count} samples a pass, {case.config}")
    for name, seconds in times.items():
        median = statistics.median(seconds)
        failed = sum(answer.get("failed", 0) for answer in result["answers"][name])
        more = f"  ({failed} samples failed and were replaced)" if failed else ""
        speed = f"{count / median:9.1f} samples/s  {1000 * median / count:8.2f} ms a sample"
        if name != THEIRS and THEIRS in times:
            found = result.setdefault("ratios", {})[name] = ratio(times[THEIRS], times[name])
            verdict = "met" if found >= case.wanted else "missed"
            speed += f"  {found:5.2f} x {THEIRS} (promised {case.wanted:g}: {verdict})"
        print(f"  {name:{len(CACHED)}} {speed}{more}")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_shared_options(parser)
    args = parser.parse_args(arguments)
    if not args.smoke and (args.paddleocr is None or not (args.paddleocr / "ppocr").is_dir()):
        parser.error(f"--paddleocr is not a checkout of PaddleOCR: {args.paddleocr}")
    return args


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when every case was measured, 1 when a worker failed."""
    args = parse(arguments)
    known = {case.name: case for case in (SMOKE if args.smoke else DATA)}
    names = args.cases.split(",") if args.cases else [name for name, case in known.items() if not case.hidden]
    if unknown := [name for name in names if name not in known]:
        sys.exit(f"error: unknown case {', '.join(unknown)}; known: {', '.join(known)}")
    found: dict[str, Any] = {"machine": machine.describe(), "cases": {}}
    print(machine.line(found["machine"]))
    failed = 0
    for name in names:
        try:
            result = measure(known[name], args)
        except WorkerFailed as problem:
            print(f"\n{name}: FAILED, {problem}")
            failed += 1
            continue
        report(known[name], result)
        found["cases"][name] = result
        if args.json:
            args.json.write_text(json.dumps(found, indent=1) + "\n")
    about = [each for result in found["cases"].values() for each in result["about"].values()]
    print("\nversions:", json.dumps({name: value for each in about for name, value in each["versions"].items()}))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
