"""The script itself: right and wrong texts, the folder it may empty, and the whole job in small."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import run
from compare import marks, read_predictions, side_by_side

SCRIPT = Path(__file__).parents[3] / "demo" / "run.py"


def item(text: str, left: float, top: float) -> dict[str, object]:
    box = [[left, top], [left + 50, top], [left + 50, top + 20], [left, top + 20]]
    return {"transcription": text, "points": box}


def test_a_text_is_right_where_the_label_is() -> None:
    truth = [item("12.5", 10, 10), item("kWh", 100, 10)]
    read = [item("12.5", 12, 11), item("125", 10, 10), item("kWh", 10, 10), item("k Wh", 101, 10)]
    assert marks(read, truth) == [True, False, False, True]


def test_side_by_side_has_three_panels() -> None:
    image = np.full((120, 200, 3), 128, np.uint8)
    truth = [item("1.5", 20, 40)]
    picture = side_by_side(image, truth, [item("15", 20, 40)], truth)
    panels = np.split(picture, 3, axis=1)
    red = [int(((panel[:, :, 2] > 180) & (panel[:, :, 0] < 80)).sum()) for panel in panels]
    green = [int(((panel[:, :, 1] > 120) & (panel[:, :, 2] < 80)).sum()) for panel in panels]
    assert red[1] > 100
    assert green[2] > 100
    assert red[0] == red[2] == green[0] == green[1] == 0


def test_a_folder_of_somebody_else_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(SystemExit, match="not of an earlier demo"):
        run.empty(tmp_path)
    assert (tmp_path / "thesis.tex").exists()
    run.empty(tmp_path / "new")
    (tmp_path / "new" / "old.jpg").write_text("")
    run.empty(tmp_path / "new")
    assert [path.name for path in (tmp_path / "new").iterdir()] == [run.MARK]


@pytest.mark.slow
def test_the_whole_job_in_small(tmp_path: Path) -> None:
    output = tmp_path / "demo output"
    command = [sys.executable, str(SCRIPT), "--quick", "--output", str(output)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    echoed = [line.split()[2] for line in done.stdout.splitlines() if line.startswith("$ ocrtune ")]
    assert echoed == ["train"] * 2 + ["eval"] * 4 + ["export"] * 2 + ["predict"] * 2
    assert "recognition accuracy" in done.stdout
    for task in ("det", "rec"):
        assert (output / task / "inference.onnx").is_file()
        metrics = json.loads((output / f"{task}-tuned.json").read_text())
        assert metrics["n_images" if task == "det" else "n"] > 0
    pictures = sorted((output / "side-by-side").iterdir())
    assert len(pictures) == run.QUICK.unseen == len(read_predictions(output / "predict-tuned"))
