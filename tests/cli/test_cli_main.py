"""The front door: help, exit codes, one-line errors, no heavy import."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ocrtune.cli import recipes
from ocrtune.cli.main import main
from ocrtune.config.overrides import apply_overrides
from ocrtune.core.errors import ConfigError, DataError, OcrtuneError
from ocrtune.core.options import Findings

_HEAVY = ("torch", "numpy", "cv2", "onnxruntime", "onnx", "yaml", "scipy", "numba", "PIL", "shapely")


def raising(error: BaseException) -> Callable[[object], None]:
    def run(arguments: object) -> None:
        raise error

    return run


def fail_with(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(recipes, "_list", raising(error))
    return main(["recipes"])


def test_help_lists_the_commands() -> None:
    done = subprocess.run([sys.executable, "-m", "ocrtune", "--help"], capture_output=True, text=True, check=True)
    for command in ("train", "eval", "tune", "export", "predict", "check", "recipes"):
        assert f"\n    {command} " in done.stdout


@pytest.mark.parametrize("command", ["", "train", "eval", "tune", "export", "predict", "check", "pack", "recipes"])
def test_help_imports_nothing_heavy(command: str) -> None:
    """What keeps `--help` under 0.4 s. The time itself depends on the machine, so it is not asserted."""
    code = (
        "import sys; from ocrtune.cli.main import main; "
        f"code = main([*{command.split()!r}, '--help']); "
        f"print('heavy:', [name for name in {_HEAVY!r} if name in sys.modules]); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("heavy: []")


@pytest.mark.parametrize(
    ("argv", "fragment"),
    [([], "required: COMMAND"), (["trian"], "invalid choice"), (["train"], "required: -c"), (["predict"], "--input")],
)
def test_a_wrong_command_line_is_2(argv: list[str], fragment: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 2
    assert fragment in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ConfigError("a.b: wrong"), 2, "error: a.b: wrong\n"),
        (DataError(["x:1: bad", "x:2: bad"]), 1, "error: x:1: bad\nerror: x:2: bad\n"),
        (OcrtuneError("anything"), 1, "error: anything\n"),
        (PermissionError(13, "Permission denied", "out"), 1, "error: out: Permission denied\n"),
        (OSError(28, "No space left on device"), 1, "error: [Errno 28] No space left on device\n"),
        (KeyboardInterrupt(), 130, "error: interrupted\n"),
        (
            ModuleNotFoundError("No module named 'torch'", name="torch"),
            1,
            "error: torch is not installed, and this command needs it.",
        ),
    ],
)
def test_errors_are_lines_with_an_exit_code(
    error: BaseException,
    code: int,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("OCRTUNE_DEBUG", raising=False)
    assert fail_with(error, monkeypatch) == code
    said = capsys.readouterr().err
    assert said.startswith(line)
    assert "Traceback" not in said


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCRTUNE_DEBUG", "1")
    with pytest.raises(DataError, match="bad"):
        fail_with(DataError("bad"), monkeypatch)


def test_a_bug_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ZeroDivisionError):
        fail_with(ZeroDivisionError(), monkeypatch)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("ocrtune ")


def test_recipes_list_show_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["recipes"]) == 0
    assert "rec/PP-OCRv6_small" in capsys.readouterr().out
    assert main(["recipes", "show", "rec/PP-OCRv2"]) == 0
    text = capsys.readouterr().out
    assert main(["recipes", "copy", "rec/PP-OCRv2", "mine.yml"]) == 0
    assert Path("mine.yml").read_text(encoding="utf-8") == text
    capsys.readouterr()
    assert main(["recipes", "copy", "rec/PP-OCRv2", "mine.yml"]) == 1
    assert capsys.readouterr().err == "error: mine.yml: File exists\n"
    assert main(["recipes", "show", "rec/PP-OCRv7"]) == 2
    assert "did you mean 'rec/PP-OCRv" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["2026", "a #1", "runs: old", "null", "日本"])
def test_folders_may_have_any_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """They become ``-o`` values, which are YAML, and are still the text that was given."""
    told: list[list[str]] = []
    monkeypatch.setattr("ocrtune.training.run.train", lambda config, **options: None)
    monkeypatch.setattr("ocrtune.config.recipes.find_config", lambda config: config)
    monkeypatch.setattr("ocrtune.cli.train.load", lambda path, overrides, files: told.append(overrides))
    assert main(["train", "-c", "x", "--resume", name]) == 0
    assert main(["train", "-c", "x", "--init-from", name]) == 0
    raw = apply_overrides({}, [override for overrides in told for override in overrides], Findings())
    assert raw == {"Global": {"checkpoints": name, "pretrained_model": name}}
