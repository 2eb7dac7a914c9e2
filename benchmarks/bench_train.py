"""A training step of ocrtune against real PaddleOCR, as it starts itself and with the best settings found for it.

    make bench-train PADDLEOCR=checkout [PADDLE_PYTHON=python] [ARGS="--cases det-v2-640,rec-v2-b32 --rounds 5"]

One process per stack, stepped A B C A B C, so that whatever else the machine does hits all alike; each for some
seconds, since a process that has waited long is slow at first. Prints the median seconds of a step and the median of
the ratios of each round.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from peers import machine
from peers.cases import KEYS_V1, RECIPE_OVERRIDES, TRAIN, TrainCase, paddleocr_configs
from peers.dictionary import digits, released_dictionary
from peers.options import KEEP_MEMORY, add_shared_options, best_settings
from peers.workers import RESERVE_GIB, OutOfMemory, Stack, Worker, WorkerFailed, ratio, take_turns

OURS, DEFAULT, BEST, KEPT = "ocrtune", "PaddleOCR default", "PaddleOCR best", "PaddleOCR memory kept"
PROMISED = {DEFAULT: 8.0, BEST: 5.0}
RECIPES = Path(__file__).parent.parent / "recipes"
SMOKE = (
    TrainCase("det-smoke", "det/PP-OCRv2_student.yml", 1, 64, 96),
    TrainCase("rec-smoke", "rec/PP-OCRv2.yml", 2, 32, 128),
)


def stacks(paddle_python: str, threads: int) -> list[Stack]:
    """ocrtune by its own defaults; PaddleOCR with no thread set, and with ``threads`` and MKL's fast path on AMD.

    And, for those who ask for it, PaddleOCR with its allocator set as ``ocrtune train`` sets its own.
    """
    best = best_settings(threads)
    return [
        Stack(DEFAULT, paddle_python, "train_paddle", {}),
        Stack(BEST, paddle_python, "train_paddle", best),
        Stack(KEPT, paddle_python, "train_paddle", {**best, **KEEP_MEMORY}),
        Stack(OURS, sys.executable, "train_ocrtune", {}),
    ]


def measure(case: TrainCase, taking_part: Sequence[Stack], settings: dict[str, Any], args: Any) -> dict[str, Any]:
    """The rounds of one case: by stack what it says of itself and its answers. Raises WorkerFailed, OutOfMemory."""
    with ExitStack() as ended, tempfile.TemporaryDirectory() as folder:
        request = {**settings, "case": case.to_json(), "folder": folder}
        reserve = 0.0 if args.smoke else RESERVE_GIB
        workers = [ended.enter_context(Worker(stack, request, reserve)) for stack in taking_part]
        answers = take_turns(workers, args.rounds, args.warm_up, 0 if args.smoke else args.turn)
        about = {worker.stack.name: worker.about for worker in workers}
        bounds = workers[-1].ask("bounds") if args.bounds else None
    return {"about": about, "answers": answers, "bounds": bounds}


def in_memory(case: TrainCase, taking_part: Sequence[Stack], settings: dict[str, Any], args: Any) -> dict[str, Any]:
    """:func:`measure` with all stacks at once; ocrtune with one of the others at a time where memory is too small."""
    *others, ours = taking_part
    try:
        return measure(case, taking_part, settings, args)
    except OutOfMemory as problem:
        if len(others) < 2:
            raise
        print(f"{case.name}: {problem}; one PaddleOCR at a time", file=sys.stderr)
    results = [measure(case, [other, ours], settings, args) for other in others]
    merged = {key: {k: v for each in reversed(results) for k, v in each[key].items()} for key in ("about", "answers")}
    merged["ratios"] = {other.name: ratios(each["answers"])[other.name] for other, each in zip(others, results)}
    return {**merged, "bounds": results[0]["bounds"]}


def ratios(answers: dict[str, list[dict[str, Any]]]) -> dict[str, float]:
    """By the other stacks, how many times faster ocrtune is."""
    times = {name: [answer["seconds"] for answer in found] for name, found in answers.items()}
    return {name: ratio(found, times[OURS]) for name, found in times.items() if name != OURS}


def report(case: TrainCase, result: dict[str, Any]) -> None:
    """What was measured, for people."""
    print(f"\n{case.name}: batch {case.batch}, {case.height} x {case.width} pixels, {case.config}")
    for name, found in result["answers"].items():
        about = result["about"][name]
        median = statistics.median(answer["seconds"] for answer in found)
        peak = max(answer["peak_gib"] for answer in found)
        more = f", {about['threads']} threads, {about['precision']}" if name == OURS else ""
        print(f"  {name:18} {median:9.3f} s  {peak:5.1f} GiB  {about['parameters']:,} parameters{more}")
    for name, value in result["ratios"].items():
        promised = PROMISED.get(name)
        verdict = f" (promised {promised:g}: {'met' if value >= promised else 'missed'})" if promised else ""
        print(f"  {value:5.2f} x {name}{verdict}")
    if bounds := result["bounds"]:
        print(
            f"  bounds: arithmetic {bounds['arithmetic_seconds']:.3f} s ({bounds['gflop']:.0f} GFLOP at "
            f"{bounds['gflops']:.0f}/s), bytes {bounds['bytes_seconds']:.3f} s ({bounds['gib']:.1f} GiB at "
            f"{bounds['gib_per_second']:.1f}/s), launch {bounds['launch_seconds']:.3f} s "
            f"({bounds['operators']} operators at {bounds['microseconds']:.1f} us)"
        )


def settings_of(case: TrainCase, args: Any, folder: Path) -> dict[str, Any] | str:
    """What the workers of a case are told, or the reason why it cannot be measured."""
    checkout = args.paddleocr_later if case.later else args.paddleocr
    if not args.smoke and (checkout is None or not (checkout / "ppocr").is_dir()):
        which = "PADDLEOCR_LATER (3.7 or later)" if case.later else "PADDLEOCR"
        return f"{which} is not a checkout of PaddleOCR: {checkout}"
    configs = RECIPES if args.smoke else paddleocr_configs(args.shared, checkout)
    if not (configs / case.config).exists():
        return f"there is no {configs / case.config}; set SHARED"
    dictionary = None
    if case.kind == "rec":
        dictionary = _dictionary(case, args, folder)
    return {
        "configs": str(configs.resolve()),
        "dictionary": str(dictionary.resolve()) if dictionary else None,
        "paddleocr": str(checkout.resolve()) if checkout else None,
        "samples": 4 if args.smoke else 256,  # on disk, for the loader that is built but not asked: the largest batch
        "more": RECIPE_OVERRIDES[case.kind] if args.smoke else [],
    }


def _dictionary(case: TrainCase, args: Any, folder: Path) -> Path:
    if args.smoke:
        return digits(folder)
    return released_dictionary(folder) if case.later else Path(args.paddleocr, KEYS_V1)


def chosen(names: str | None, smoke: bool) -> list[TrainCase]:
    """The cases called ``names`` (comma-separated), by default all that are not hidden. Exits on an unknown name."""
    known = {case.name: case for case in (SMOKE if smoke else TRAIN)}
    if names is None:
        return [case for case in known.values() if not case.hidden]
    unknown = [name for name in names.split(",") if name not in known]
    if unknown:
        sys.exit(f"error: unknown case {', '.join(unknown)}; known: {', '.join(known)}")
    return [known[name] for name in names.split(",")]


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_shared_options(parser)
    parser.add_argument("--paddleocr-later", type=Path, help="checkout of 3.7 or later, for PP-OCRv6")
    parser.add_argument("--threads", type=int, default=machine.usable_cores(), help="of PaddleOCR best; default: cores")
    parser.add_argument("--only", help=f"comma-separated: {DEFAULT}, {BEST}, {KEPT}; not given: the first two")
    parser.add_argument("--bounds", action="store_true", help="say what bounds ocrtune's step")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when every case that could be measured was, 1 when a worker failed."""
    args = parse(arguments)
    taking_part = stacks(args.paddle_python, args.threads)
    wanted = {OURS} if args.smoke else {OURS, *(args.only.split(",") if args.only else PROMISED)}
    if unknown := wanted - {stack.name for stack in taking_part}:
        sys.exit(f"error: unknown stack {', '.join(sorted(unknown))}; known: {DEFAULT}, {BEST}, {KEPT}")
    taking_part = [stack for stack in taking_part if stack.name in wanted]
    found: dict[str, Any] = {"machine": machine.describe(), "cases": {}}
    print(machine.line(found["machine"]))
    failed = 0
    for case in chosen(args.cases, args.smoke):
        with tempfile.TemporaryDirectory() as folder:
            settings = settings_of(case, args, Path(folder))
            if isinstance(settings, str):
                print(f"\n{case.name}: skipped, {settings}")
                continue
            try:
                result = in_memory(case, taking_part, settings, args)
            except WorkerFailed as problem:
                print(f"\n{case.name}: FAILED, {problem}")
                failed += 1
                continue
        result.setdefault("ratios", ratios(result["answers"]))
        report(case, result)
        found["cases"][case.name] = {"case": case.to_json(), **result}
        if args.json:
            args.json.write_text(json.dumps(found, indent=1) + "\n")
    print("\nversions:", json.dumps(_versions(found["cases"])))
    return 1 if failed else 0


def _versions(cases: dict[str, Any]) -> dict[str, str]:
    about = [each for case in cases.values() for each in case["about"].values()]
    return {name: version for each in about for name, version in each["versions"].items()}


if __name__ == "__main__":
    sys.exit(main())
