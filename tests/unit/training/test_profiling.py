"""Where the time of a step goes: the shares in the journal, and the profile."""

import itertools
import json
from pathlib import Path

import pytest
import torch
from tiny_runs import rec_config
from tiny_training import CPU, Scale, batch, trainer

from ocrtune.cli.main import main
from ocrtune.config.writer import save_config
from ocrtune.training import phases
from ocrtune.training.checkpoint import BEST, LATEST, STATE
from ocrtune.training.logs import Meter
from ocrtune.training.phases import PhaseTimes
from ocrtune.training.profiling import TABLE, TRACE, WARM_UP, Profiling


def test_each_phase_gets_the_time_up_to_its_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    readings = iter([10.0, 11.0, 13.0, 16.0, 20.0, 100.0, 101.0])
    monkeypatch.setattr(phases.time, "perf_counter", lambda: next(readings))
    times = PhaseTimes(CPU)
    times.start()
    for phase in ("forward", "backward", "forward", "updating"):
        times.mark(phase)
    times.start()  # the 80 seconds before belong to nothing
    times.mark("updating")
    assert times.read() == {"forward": 1 + 3, "backward": 2, "updating": 4 + 1}
    assert times.read() == {}


class Event:
    """A CUDA event whose time is known only once it was waited for."""

    times = itertools.count(0, 250)  # milliseconds
    synchronized = 0

    def __init__(self, enable_timing: bool):
        assert enable_timing

    def record(self) -> None:
        self.time = next(Event.times)

    def synchronize(self) -> None:
        Event.synchronized += 1

    def elapsed_time(self, end: "Event") -> float:
        assert Event.synchronized == 1
        return end.time - self.time


def test_on_a_gpu_events_are_read_late_and_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "Event", Event)
    times = PhaseTimes(torch.device("cuda"))
    times.start()
    times.mark("forward")
    times.mark("backward")
    assert Event.synchronized == 0
    assert times.read() == {"forward": 0.25, "backward": 0.25}


def test_a_step_marks_its_phases() -> None:
    subject = trainer(Scale())
    for _ in range(2):
        subject.step([batch(1, 2), batch(2, 1)])
    seconds = subject.phases.read()
    assert list(seconds) == ["forward", "backward", "updating"]
    assert min(seconds.values()) > 0


def test_the_meter_gives_shares_of_the_time() -> None:
    meter = Meter()
    meter.add({"loss": 1.0}, 4, 20.0)
    meter.pause(-100)
    found = meter.read({"forward": 50.0, "updating": 1000.0})
    assert found["waiting"] == pytest.approx(0.2, rel=0.2)
    assert found["forward"] == pytest.approx(0.5, rel=0.2)
    assert found["updating"] == 1.0


def recorded_steps(trace: Path) -> int:
    names = {event.get("name", "") for event in json.loads(trace.read_text())["traceEvents"]}
    return sum(name.startswith("ProfilerStep") for name in names)


def test_it_records_after_the_warm_up_and_then_asks_to_stop(tmp_path: Path) -> None:
    said: list[str] = []
    with Profiling(3, tmp_path, CPU, said.append) as profiling:
        for _ in range(WARM_UP + 2):
            torch.ones(3, 3) @ torch.ones(3, 3)
            profiling.stepped()
            assert profiling.finished() == ""
        profiling.stepped()
        assert profiling.finished() == "Global.profile: 3 steps are recorded"
        profiling.stepped()
    assert recorded_steps(tmp_path / TRACE) == 3
    assert "aten::" in (tmp_path / TABLE).read_text()
    assert said == [f"profile of 3 steps: {tmp_path / TABLE}, {tmp_path / TRACE} (ui.perfetto.dev)"]


@pytest.mark.parametrize(("steps", "said"), [(WARM_UP + 1, "profile of 1 steps"), (2, "no profile: the run ended")])
def test_a_run_that_ends_earlier_gives_what_there_is(steps: int, said: str, tmp_path: Path) -> None:
    lines: list[str] = []
    with Profiling(10, tmp_path, CPU, lines.append) as profiling:
        for _ in range(steps):
            profiling.stepped()
    [line] = lines
    assert line.startswith(said)


def test_no_profile_costs_nothing_and_says_nothing(tmp_path: Path) -> None:
    said: list[str] = []
    with Profiling(None, tmp_path, CPU, said.append) as profiling:
        profiling.stepped()
        assert profiling.finished() == ""
    assert not list(tmp_path.iterdir())
    assert not said


def test_a_profiled_run_stops_evaluated_and_saved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.set_num_threads(1)
    config, run = tmp_path / "config.yml", tmp_path / "run"
    save_config(rec_config(tmp_path, 3), config)
    assert main(["train", "-c", str(config), "--device", "cpu", "--profile", "2"]) == 0
    assert {TRACE, TABLE, BEST, LATEST, STATE, "result.json"} <= {path.name for path in run.iterdir()}
    assert recorded_steps(run / TRACE) == 2
    assert "profile: 2" not in (run / "config.yml").read_text()  # whoever trains from it does not profile again
    said = capsys.readouterr().out
    assert "stopped at step 7 of 15: Global.profile: 2 steps are recorded" in said
    assert [score["step"] for score in json.loads((run / "result.json").read_text())["history"]] == [0, 7]
    events = [json.loads(line) for line in (run / "train.jsonl").read_text().splitlines()]
    steps = [event for event in events if event["event"] == "step"]
    for event in steps:
        shares = [event[name] for name in ("waiting", "forward", "backward", "updating")]
        assert min(shares) > 0
        assert sum(shares) <= 1.01
