"""What every test may use."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pluggy
import pytest

_ROOT = Path(__file__).parent.parent

# Before torch is imported: the test processes share the cores, and threads that wait for each other waste them.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def _shared_folder() -> Path:
    return Path(os.environ.get("OCRTUNE_SHARED", _ROOT.parent / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real labelled sets and PaddleOCR's YAML files (OCRTUNE_SHARED, default ../shared).

    Skips where it is absent; with OCRTUNE_REQUIRE_SHARED=1 (as in CI) that is a failure.
    """
    folder = _shared_folder()
    if folder.is_dir():
        return folder.resolve()
    reason = f"no folder {folder} with labelled sets; set OCRTUNE_SHARED"
    if os.environ.get("OCRTUNE_REQUIRE_SHARED") == "1":
        pytest.fail(reason)
    return pytest.skip(reason)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pluggy.Result[pytest.TestReport], None]:
    """With OCRTUNE_REQUIRE_SHARED=1 a skip whose reason is the shared folder is a failure."""
    outcome = yield
    report = outcome.get_result()
    reason = report.longrepr[2] if report.skipped and isinstance(report.longrepr, tuple) else ""
    if os.environ.get("OCRTUNE_REQUIRE_SHARED") == "1" and "OCRTUNE_SHARED" in reason:
        report.outcome = "failed"
        report.longrepr = f"skipped although OCRTUNE_REQUIRE_SHARED=1: {reason}"
