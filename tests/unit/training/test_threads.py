"""PyTorch's threads are told how to wait before PyTorch is there, where the user did not say."""

import os
import subprocess
import sys

import pytest

from ocrtune.training.threads import let_threads_sleep

_TRAIN = """
import os, sys
from ocrtune.training import threads

def told():
    print("torch" in sys.modules)
    raise SystemExit

threads.let_threads_sleep = told
from ocrtune.cli.main import main
main(["train", "-c", "rec/PP-OCRv2"])
"""


def test_threads_are_told_before_pytorch_is_imported() -> None:
    done = subprocess.run([sys.executable, "-c", _TRAIN], capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr


@pytest.mark.parametrize(("name", "value"), [("OMP_WAIT_POLICY", "active"), ("GOMP_SPINCOUNT", "77")])
def test_the_users_choice_stays(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    monkeypatch.setenv(name, value)
    let_threads_sleep()
    assert os.environ.get(name) == value
    assert (name == "GOMP_SPINCOUNT") == ("GOMP_SPINCOUNT" in os.environ)
