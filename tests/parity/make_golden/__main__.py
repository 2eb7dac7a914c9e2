"""All golden numbers anew: ``python tests/parity/make_golden PADDLEOCR``, as ``make parity`` does.

Each script beside this file runs once; one whose inputs were not given is named, and the exit code is then 1.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
GOLDEN = HERE.parent / "golden"
HELPERS = {"__main__.py", "import_paddleocr.py"}
LATER_LOSSES = ("det_basic_loss.py", "det_db_loss.py")


def commands(arguments: argparse.Namespace, scratch: Path) -> dict[str, list[str | Path | None]]:
    """Script -> its arguments; None stands for an input that was not given."""
    later = later_losses(arguments.paddleocr_later, scratch) if arguments.paddleocr_later else None
    places = ["--paddleocr", arguments.paddleocr, "--shared", arguments.shared, "--out", GOLDEN]
    return {
        "codec.py": [*places, "--det-onnx", arguments.det_onnx],
        "data.py": places,
        "distillation.py": [arguments.paddleocr],
        "inference.py": [GOLDEN],
        "losses.py": [arguments.paddleocr, later],
        "metrics.py": places,
        "models.py": [arguments.paddleocr],
        "optimizer.py": [arguments.paddleocr],
        "sar_ace_center.py": [arguments.paddleocr],
        "schedule.py": [arguments.paddleocr],
        "weights.py": [arguments.paddleocr, GOLDEN],
        "zoo.py": [arguments.paddleocr, "--later", arguments.paddleocr_later],
    }


def later_losses(checkout: Path, scratch: Path) -> Path:
    """A package with the DB losses of PaddleOCR 3.7, which has DiceFocalLoss and the auxiliary heads."""
    (scratch / "__init__.py").touch()
    for name in LATER_LOSSES:
        shutil.copy(checkout / "ppocr" / "losses" / name, scratch)
    return scratch


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paddleocr", type=Path, help="checkout at 79f652f5")
    parser.add_argument("--paddleocr-later", type=Path, help="checkout of 3.7 or later")
    parser.add_argument("--shared", type=Path, help="folder with icdar2015 and wire_markers")
    parser.add_argument("--det-onnx", type=Path, help="PP-OCRv6_det_small.onnx of the rapidocr wheel")
    arguments = parser.parse_args()
    known = {path.name for path in HERE.glob("*.py")} - HELPERS
    not_run = []
    with tempfile.TemporaryDirectory() as scratch:
        table = commands(arguments, Path(scratch))
        for script in sorted(known):
            wanted = table.get(script)
            if wanted is None or None in wanted:
                not_run.append(script)
                continue
            print(f"== {script}", flush=True)
            subprocess.run([sys.executable, HERE / script, *map(str, wanted)], check=True)
    for script in not_run:
        print(f"not run: {script} (an input was not given, or it is not in the table of {Path(__file__).name})")
    return 1 if not_run else 0


if __name__ == "__main__":
    sys.exit(main())
