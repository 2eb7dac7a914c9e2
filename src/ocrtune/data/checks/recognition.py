"""Recognition labels: texts against the dictionary, the length limit and the crop's width."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from ocrtune.core.charset import Charset
from ocrtune.core.errors import Problem
from ocrtune.core.records import Sample
from ocrtune.data.checks.detection import repeated_images
from ocrtune.data.checks.images import check_images
from ocrtune.data.checks.report import CheckReport
from ocrtune.data.labels import LabelSet
from ocrtune.data.sampler import ctc_steps

ADVISED_LINES = 5000  # PaddleOCR's fine-tuning guide
_LISTED = 40


def check_recognition(
    labels: LabelSet,
    charset: Charset,
    *,
    max_text_length: int,
    max_steps: int | None = None,
    drop_out_of_dictionary: bool = False,
    training: bool = True,
) -> CheckReport:
    """Missing and damaged images are problems; so, for training, are characters outside the dictionary.

    Texts longer than ``max_text_length``, or that need more CTC steps than ``max_steps`` (what the network puts out
    for its widest input), cannot be trained on and are listed as skipped; evaluation skips nothing.
    drop_out_of_dictionary: train on the rest of such texts instead (an option of CTCLabelEncode, MultiLabelEncode).
    """
    report = CheckReport(labels)
    sizes = check_images(labels.samples, report.problems)
    report.labels = labels = replace(labels, sizes=sizes)
    _check_characters(report, charset, drop_out_of_dictionary, training)
    if training:
        for i, sample in enumerate(labels.samples):
            reason = _unusable(sample, charset, max_text_length, max_steps)
            if reason is not None:
                report.skipped[i] = reason
    report.warnings += repeated_images(labels.samples)
    report.counts = {
        "lines": len(labels),
        "characters": sum(len(sample.text or "") for sample in labels.samples),
        "different characters": len({c for sample in labels.samples for c in sample.text or ""}),
    }
    if training and len(labels) < ADVISED_LINES:
        advice = f"PaddleOCR's guide advises at least {ADVISED_LINES:,} lines for recognition"
        report.notes.append(f"{len(labels):,} lines: {advice}.")
    return report


def _check_characters(report: CheckReport, charset: Charset, drop: bool, training: bool) -> None:
    missing = charset.missing(sample.text or "" for sample in report.labels.samples)
    report.out_of_dictionary = missing
    if not missing:
        return
    first = next(s for s in report.labels.samples if any(c not in charset for c in s.text or ""))
    what = f"characters outside the dictionary: {_listed(missing)}"
    if not training:
        report.warnings.append(Problem(first.source, what, "lines with them cannot be read right"))
    elif drop:
        report.warnings.append(Problem(first.source, what, "they are left out of the training labels"))
    else:
        fix = "add them to the dictionary, mend the labels, or set drop_out_of_dictionary: true in the label encoder"
        report.problems.append(Problem(first.source, what, fix))


def _listed(counts: Counter[str]) -> str:
    shown = [f"{character!r} (U+{ord(character):04X}) x {count}" for character, count in counts.most_common(_LISTED)]
    more = [f"and {len(counts) - _LISTED} more"] if len(counts) > _LISTED else []
    return ", ".join(shown + more)


def _unusable(sample: Sample, charset: Charset, max_text_length: int, max_steps: int | None) -> Problem | None:
    text = "".join(character for character in sample.text or "" if character in charset)
    if not text:
        return Problem(sample.source, f"no character of {sample.text!r} is in the dictionary")
    if len(text) > max_text_length:
        return Problem(sample.source, f"{len(text)} characters, but Global.max_text_length is {max_text_length}")
    if max_steps is not None and ctc_steps(text) > max_steps:
        return Problem(
            sample.source, f"{sample.text!r} needs {ctc_steps(text)} CTC steps, the widest input has {max_steps}"
        )
    return None
