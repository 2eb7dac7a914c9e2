"""``python extract_distillation.py FOLDER``: what ``save_distillation.py`` left there, extracted and evaluated here.

``ocrtune weights extract --model Student`` cuts the student out of PaddleOCR's checkpoint; on the same lines it must
give the same texts and the same accuracy, and outputs within 1e-4. Exit code 1 where it does not.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

from ocrtune.codec.ctc import CTCCodec
from ocrtune.core.records import Sample
from ocrtune.metrics.recognition import RecMetric
from ocrtune.weights import catalogue
from ocrtune.weights.load import load_weights
from ocrtune.weights.released import build_section

NAME = "PP-OCRv2_rec"  # architecture and dictionary of the Student
TOLERANCE = 1e-4


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    student = folder / "student.pdparams"
    student.unlink(missing_ok=True)
    command = [sys.executable, "-m", "ocrtune", "weights", "extract", folder / "distilled.pdparams"]
    subprocess.run([*command, "--model", "Student", "-o", student], check=True)
    entry = catalogue.find(NAME)
    charset = catalogue.charset_of(entry)
    model = build_section(entry.architecture, charset).eval()
    load_weights(model, student, charset=charset)
    with np.load(folder / "distilled.npz") as theirs:
        with torch.no_grad():
            pieces = torch.from_numpy(theirs["images"]).split(20)
            output = torch.cat([model(piece)["ctc"].softmax(-1) for piece in pieces]).numpy()
        results = CTCCodec(charset).decode(output)
        metric = RecMetric(charset=charset)
        metric.update(results, [Sample(str(i), Path(), str(label)) for i, label in enumerate(theirs["labels"])])
        accuracy = metric.compute()["accuracy_no_space"]
        same = sum(result.text == text for result, text in zip(results, theirs["texts"], strict=True))
        difference = float(np.abs(output - theirs["output"]).max())
        print(
            f"the Student of PaddleOCR's distillation, extracted: {same} of {len(results)} texts equal, "
            f"accuracy {accuracy:.4f} and {theirs['accuracy']:.4f} there, output differs by {difference:.0e}"
        )
        equal = same == len(results) and abs(accuracy - float(theirs["accuracy"])) < TOLERANCE
    return 0 if equal and difference < TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
