"""Memory that is freed stays with the process, where the C library can do that."""

import ctypes
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_runs import rec_config

from ocrtune.cli.main import main
from ocrtune.config.writer import save_config
from ocrtune.training.allocator import keep_freed_memory

_PROBE = """
from ocrtune.training.allocator import keep_freed_memory

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

done = keep_freed_memory()
before = resident()
block = bytearray(64 * 2**20)
block[::4096] = b"x" * len(block[::4096])
del block
print(done, resident() - before > 60 * 2**20)
"""


def test_freed_memory_stays_with_the_process() -> None:
    if platform.libc_ver()[0] == "glibc":
        done = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, text=True)
        assert done.stdout == "True True\n", done.stderr
    else:
        assert not keep_freed_memory()


class LibraryWithout:
    """A C library of another kind."""


@pytest.mark.parametrize("error", [None, OSError, TypeError])
def test_other_c_libraries_are_left_alone(error: type[Exception] | None, monkeypatch: pytest.MonkeyPatch) -> None:
    def library(name: None) -> LibraryWithout:
        if error is not None:
            raise error
        return LibraryWithout()

    monkeypatch.setattr(ctypes, "CDLL", library)
    assert keep_freed_memory() is False


def test_train_asks_for_it_before_it_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr("ocrtune.training.allocator.keep_freed_memory", lambda: calls.append("allocator"))
    monkeypatch.setattr("ocrtune.training.run.train", lambda config, device: calls.append("train"))
    config = tmp_path / "config.yml"
    save_config(rec_config(tmp_path, 1), config)
    assert main(["train", "-c", str(config)]) == 0
    assert calls == ["allocator", "train"]
