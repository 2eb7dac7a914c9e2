"""The model card and the dictionary as metadata of an ONNX file.

``character``  the dictionary as RapidOCR reads it: lines joined by newlines, without blank and without the final
               space, because RapidOCR 3.x puts blank first and always appends a space (its
               ``ch_ppocr_rec/utils.py`` ``get_character``). A recognition file therefore has
               ``len(character) + 2`` classes; a model without a space class gets one that never fires (see
               ``ocrtune.export.onnx``).
``ocrtune``    the card as JSON.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence

from ocrtune.core.errors import DataError, Problem, WeightsError
from ocrtune.core.options import Findings, parse_options
from ocrtune.core.records import ModelCard

CHARACTER_KEY = "character"
CARD_KEY = "ocrtune"
SPACE = " "


def card_to_metadata(card: ModelCard, characters: Sequence[str] | None = None) -> dict[str, str]:
    """What :func:`card_from_metadata` and RapidOCR read back.

    characters: the recognition classes without blank, in order, the final space included; None for detection.

    Raises DataError for a character that a newline-joined list cannot hold.
    """
    metadata = {CARD_KEY: json.dumps(dataclasses.asdict(card), ensure_ascii=False, sort_keys=True)}
    if characters is not None:
        metadata[CHARACTER_KEY] = join_characters(characters)
    return metadata


def card_from_metadata(metadata: Mapping[str, str], where: str) -> ModelCard | None:
    """The card of a file; None when it has none. WeightsError when it has one that cannot be read."""
    if CARD_KEY not in metadata:
        return None
    fix = "the file was written by another ocrtune version or edited; export it again"
    try:
        raw = json.loads(metadata[CARD_KEY])
    except ValueError as error:
        raise WeightsError(Problem(where, "its model card is not JSON", fix)) from error
    findings = Findings()
    card = parse_options(ModelCard, raw, "model card", findings)
    if card is None:
        raise WeightsError([Problem(where, str(problem), fix) for problem in findings.problems])
    return card


def join_characters(characters: Sequence[str]) -> str:
    """Recognition classes (final space included) in RapidOCR's form; DataError when that form cannot hold them."""
    if not characters or characters[-1] != SPACE:
        raise DataError(Problem("dictionary", "the last class is not the space", "RapidOCR always decodes it as one"))
    problems: list[Problem | str] = []
    for number, character in enumerate(characters[:-1], start=1):
        if character.splitlines() != [character]:
            what = f"{character!r} is a line break to RapidOCR and would shift every class after it"
            problems.append(Problem(f"dictionary:{number}", what, "remove it from the dictionary"))
    if problems:
        raise DataError(problems)
    return "\n".join(characters[:-1])


def characters_from_metadata(metadata: Mapping[str, str]) -> tuple[str, ...] | None:
    """The dictionary lines of a file, without blank and the final space; None when it holds none."""
    joined = metadata.get(CHARACTER_KEY)
    return tuple(joined.splitlines()) if joined else None
