"""The worker's end of the pipe: one JSON line in, one JSON line out. Standard library only."""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Callable
from typing import Any

Answer = dict[str, Any]
Prepare = Callable[[Any], tuple[Answer, Callable[[Any], Answer]]]


def serve(prepare: Prepare) -> None:
    """Hand the first line to ``prepare``, send what it says about itself, then answer each line until they end.

    Whatever libraries print goes to the error stream, so that it cannot be taken for an answer.
    """
    with os.fdopen(os.dup(1), "w", buffering=1) as answers:
        os.dup2(2, 1)
        about, answer = prepare(json.loads(sys.stdin.readline()))
        print(json.dumps(about), file=answers)
        for line in sys.stdin:
            found = answer(json.loads(line))
            print(json.dumps({**found, "peak_gib": peak_gib()}), file=answers)


def take_turn(step: Callable[[], Answer], seconds: float) -> Answer:
    """Make steps for ``seconds``, at least one: the last answer, the mean of their ``seconds`` and their number."""
    answers = [step()]
    while sum(answer["seconds"] for answer in answers) < seconds:
        answers.append(step())
    mean = sum(answer["seconds"] for answer in answers) / len(answers)
    return {**answers[-1], "seconds": mean, "steps": len(answers)}


def peak_gib() -> float:
    """Most memory that this process has held, GiB (Linux counts in KiB, macOS in bytes)."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30
