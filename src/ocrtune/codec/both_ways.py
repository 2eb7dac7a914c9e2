"""Lines that may stand on their head: each is read both ways, and the surer reading counts."""

from __future__ import annotations

from ocrtune.core.records import RecognitionResult

MARGIN = 0.05
"""By how much the reading upside down must be the surer one (docs/results.md says how this was found)."""


def surer(upright: RecognitionResult, turned: RecognitionResult) -> RecognitionResult:
    """``turned``, the reading of the crop turned by 180 degrees, where its score is higher by more than MARGIN.

    Where a language is known, it must not find ``turned`` the less likely one.
    """
    likely = turned.likelihood >= upright.likelihood
    return turned if likely and turned.score > upright.score + MARGIN else upright
