"""Memory that is freed stays with the process, where the C library can do that and there is room for it."""

import ctypes
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_runs import rec_config

from ocrtune.cli.main import main
from ocrtune.config.writer import save_config
from ocrtune.training import allocator
from ocrtune.training.allocator import FreedMemory, use_large_pages

GIB = 2**30
_PROBE = """
from ocrtune.training.allocator import FreedMemory

def kept_of_a_block():
    before = resident()
    block = bytearray(64 * 2**20)
    block[::4096] = b"x" * len(block[::4096])
    del block
    return resident() - before > 60 * 2**20

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

memory = FreedMemory()
print(kept_of_a_block())
memory._keep()
print(kept_of_a_block())
memory._give_back()
print(kept_of_a_block(), resident() < 200 * 2**20)
"""


_LARGE_PAGES = """
import os
from ocrtune.training.allocator import use_large_pages

os.environ.pop("THP_MEM_ALLOC_ENABLE", None)
use_large_pages()
import torch

block = torch.ones(64 * 2**20 // 4)
lines = open("/proc/self/smaps_rollup").read().splitlines()
print(next(int(line.split()[1]) for line in lines if line.startswith("AnonHugePages")) // 1024)
"""


def large_pages() -> bool:
    """Whether this Linux gives them to those who ask."""
    setting = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    return setting.is_file() and "[never]" not in setting.read_text()


class Library:
    """A C library that remembers what it was asked."""

    def __init__(self) -> None:
        self.options: dict[int, int] = {}
        self.trimmed = 0

    def mallopt(self, name: int, value: int) -> int:
        self.options[name] = value
        return 1

    def malloc_trim(self, pad: int) -> int:
        self.trimmed += 1
        return 1


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has these options")
def test_freed_memory_stays_with_the_process() -> None:
    done = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, text=True)
    assert done.stdout == "False\nTrue\nFalse True\n", done.stderr


@pytest.mark.skipif(not large_pages(), reason="this kernel has no transparent huge pages")
def test_pytorch_gets_large_pages() -> None:
    done = subprocess.run([sys.executable, "-c", _LARGE_PAGES], capture_output=True, text=True)
    assert int(done.stdout) >= 32, done.stderr  # MiB of the block's 64


def test_the_users_choice_of_pages_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THP_MEM_ALLOC_ENABLE", "0")
    use_large_pages()
    assert os.environ["THP_MEM_ALLOC_ENABLE"] == "0"


def test_the_room_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    state = {"process": (4 * GIB, 2 * GIB), "free": 4 * GIB}
    monkeypatch.setattr(allocator, "_of_process", lambda: state["process"])
    monkeypatch.setattr(allocator, "free_memory", lambda: state["free"])
    memory = FreedMemory()
    memory.after_step()  # kept, the process may come to hold 6 GiB: 4 more, all that is free
    assert (memory.kept, library.options) == (False, {})
    state["free"] = 6 * GIB
    memory.after_step()
    assert memory.kept
    assert library.options[-4] == 0  # no block is mapped
    state.update(process=(8 * GIB, 8 * GIB), free=2 * GIB)
    memory.after_step()
    assert memory.kept
    state["free"] = GIB // 2
    memory.after_step()
    assert (memory.kept, library.trimmed) == (False, 1)
    assert library.options[-4] > 0


@pytest.mark.parametrize("error", [None, OSError, TypeError])
def test_other_c_libraries_are_left_alone(error: type[Exception] | None, monkeypatch: pytest.MonkeyPatch) -> None:
    def library(name: None) -> object:
        if error is not None:
            raise error
        return object()

    monkeypatch.setattr(ctypes, "CDLL", library)
    memory = FreedMemory()
    memory.after_step()
    assert not memory.kept


def test_train_looks_after_every_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    monkeypatch.setattr(FreedMemory, "after_step", lambda self: calls.append(1))
    config = tmp_path / "config.yml"
    save_config(rec_config(tmp_path, 2), config)
    assert main(["train", "-c", str(config)]) == 0
    [start] = [json.loads(line) for line in (tmp_path / "run" / "train.jsonl").read_text().splitlines()][:1]
    assert len(calls) == start["steps"] > 1
