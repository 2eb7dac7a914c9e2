"""A run that is killed again and again ends with the weights of a run that was left alone, bit by bit."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_runs import rec_config

from ocrtune.config.writer import save_config
from ocrtune.training.checkpoint import LATEST, STATE
from ocrtune.training.run import JOURNAL
from ocrtune.weights.native import read_native

_WAIT_S = 120  # a process that does nothing for so long has failed


def start(config: Path, run: Path) -> subprocess.Popen[str]:
    """``ocrtune train``, going on where ``run`` has something to go on with."""
    command = [sys.executable, "-m", "ocrtune", "train", "-c", str(config), "--device", "cpu"]
    command += ["-o", f"Global.save_model_dir={run}"]
    if (run / STATE).exists():
        command += ["--resume", str(run)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def kill_at_a_random_moment(process: subprocess.Popen[str], journal: Path, rng: random.Random) -> None:
    """Kill once the journal has grown by a random amount, and a little later."""
    wanted = size(journal) + rng.randrange(1, 3000)
    deadline = time.monotonic() + _WAIT_S
    while process.poll() is None and size(journal) < wanted and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(rng.random() * 0.1)
    process.send_signal(signal.SIGKILL)
    process.communicate()


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_and_resumed_ends_as_if_left_alone(kills: int, tmp_path: Path) -> None:
    config = tmp_path / "config.yml"
    save_config(rec_config(tmp_path, 4 * kills, "Global.use_ema=true", "Global.ema_decay=0.9"), config)
    alone, killed = tmp_path / "alone", tmp_path / "killed"
    output, _ = start(config, alone).communicate()
    assert (alone / LATEST).exists(), output
    rng = random.Random(20)
    interrupted = 0
    for _ in range(kills):
        process = start(config, killed)
        kill_at_a_random_moment(process, killed / JOURNAL, rng)
        interrupted += process.returncode == -signal.SIGKILL
    assert interrupted >= kills / 2  # the others had finished
    process = start(config, killed)
    output, _ = process.communicate()
    assert process.returncode == 0, output
    (expected, metadata), (found, own) = (read_native(folder / LATEST) for folder in (alone, killed))
    assert own == metadata
    assert found.keys() == expected.keys()
    assert all(found[name].tobytes() == expected[name].tobytes() for name in expected)
