"""The whole job on a small domain: draw meters, fine-tune detection and recognition, export, predict, compare.

make demo, or: python demo/run.py [--quick] [--output DIR]. The commands it runs are echoed; each can be typed as it is.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
from compare import read_predictions, side_by_side, write_comparison
from meters.dataset import Split, detection_label, write_photo, write_split
from meters.photo import draw_photo

from ocrtune.cli.main import main as ocrtune

DET_RECIPE, REC_RECIPE = "det/PP-OCRv6_small", "rec/PP-OCRv6_small"
OUTPUT = Path("demo-output")
MARK = ".ocrtune-demo"  # only a folder that holds this file is emptied


@dataclass(frozen=True)
class Size:
    """How much is drawn and trained. unseen: photos for prediction. workers: processes that load batches.

    train, val, test: photos; train_pages, test_pages: those of them that detection uses. epochs and batches per task.
    """

    train: int
    train_pages: int
    val: int
    test: int
    test_pages: int
    unseen: int
    rec_epochs: int
    rec_batch: int
    det_epochs: int
    det_batch: int
    det_crop: int
    workers: int


FULL = Size(
    train=220, train_pages=120, val=20, test=110, test_pages=60, unseen=8,
    rec_epochs=4, rec_batch=32, det_epochs=2, det_batch=4, det_crop=320, workers=1,
)  # fmt: skip
QUICK = Size(
    train=8, train_pages=4, val=3, test=3, test_pages=2, unseen=2,
    rec_epochs=1, rec_batch=8, det_epochs=1, det_batch=2, det_crop=160, workers=0,
)  # fmt: skip
TRAIN_SEED, VAL_SEED, TEST_SEED, UNSEEN_SEED = 1_000_000, 2_000_000, 3_000_000, 4_000_000


def main() -> int:
    """Run every step; 0 when all went well, else the exit code of the command that failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=OUTPUT, metavar="DIR", help=f"default: {OUTPUT}")
    parser.add_argument("--quick", action="store_true", help="a few photos and steps: shows that it runs, not a gain")
    arguments = parser.parse_args()
    started = time.perf_counter()
    output: Path = arguments.output
    size = QUICK if arguments.quick else FULL
    empty(output)
    draw(output, size)
    train(output, size)
    measure(output)
    export_and_predict(output, size)
    print("\n" + table(output))
    pictures = compare(output, size)
    print(f"\nside by side  {pictures[0].parent}/  ({len(pictures)} pictures: photo | base model | fine-tuned)")
    print(f"models        {output}/det/inference.onnx  {output}/rec/inference.onnx")
    print(f"the demo took {time.perf_counter() - started:.0f} s")
    return 0


def empty(output: Path) -> None:
    """Start from an empty folder; refuses to delete one that an earlier demo did not write."""
    if output.exists() and any(output.iterdir()):
        if not (output / MARK).exists():
            sys.exit(f"error: {output} is not empty and not of an earlier demo. Name another --output")
        shutil.rmtree(output)
    output.mkdir(parents=True, exist_ok=True)
    (output / MARK).touch()


def draw(output: Path, size: Size) -> None:
    """The labelled splits and the unseen photos; no two share a seed."""
    splits = (
        Split("train", TRAIN_SEED, size.train, size.train_pages),
        Split("val", VAL_SEED, size.val),
        Split("test", TEST_SEED, size.test, size.test_pages),
    )
    for split in splits:
        pages, crops = write_split(output / "data", split)
        print(f"{split.name:5}  {pages} photos for detection, {crops} crops for recognition")
    for i in range(size.unseen):
        write_photo(output / "unseen" / f"{i:02d}.jpg", draw_photo(UNSEEN_SEED + i))


def train(output: Path, size: Size) -> None:
    """Fine-tune both tasks from the default weights, choosing on the validation split."""
    loaders = [f"Train.loader.num_workers={size.workers}", f"Eval.loader.num_workers={size.workers}"]
    run("train", "-c", REC_RECIPE, "-o", *files(output, "rec", "Train", "train"), *files(output, "rec", "Eval", "val"),
        f"Global.save_model_dir={output}/rec-run", f"Global.epoch_num={size.rec_epochs}",
        f"Train.loader.batch_size_per_card={size.rec_batch}", *loaders)  # fmt: skip
    run("train", "-c", DET_RECIPE, "-o", *files(output, "det", "Train", "train"), *files(output, "det", "Eval", "val"),
        f"Global.save_model_dir={output}/det-run", f"Global.epoch_num={size.det_epochs}",
        f"Train.loader.batch_size_per_card={size.det_batch}",
        f"Train.dataset.transforms.EastRandomCropData.size=[{size.det_crop},{size.det_crop}]", *loaders)  # fmt: skip


def measure(output: Path) -> None:
    """Both models of both tasks on the test split, which nothing was chosen on."""
    for task, recipe in (("rec", REC_RECIPE), ("det", DET_RECIPE)):
        test = [*files(output, task, "Eval", "test"), "Eval.loader.num_workers=0"]
        run("eval", "-c", recipe, "-o", *test, "--json", f"{output}/{task}-base.json")
        run("eval", f"{output}/{task}-run", "-o", *test, "--json", f"{output}/{task}-tuned.json")


def export_and_predict(output: Path, size: Size) -> None:
    """ONNX files, checked on validation images; then base and fine-tuned models on the unseen photos."""
    gate = ["--gate_images", str(min(size.val, 20))]
    run("export", f"{output}/rec-run", "--output", f"{output}/rec", *gate)
    run("export", f"{output}/det-run", "--output", f"{output}/det", *gate)
    unseen = ["predict", "--input", f"{output}/unseen"]
    run(*unseen, "--output", f"{output}/predict-base")
    run(*unseen, "--output", f"{output}/predict-tuned", "--det", f"{output}/det", "--rec", f"{output}/rec")


def files(output: Path, task: str, section: str, split: str) -> list[str]:
    """The overrides that point a section of a recipe at a label file of the demo."""
    label_file = f"{output}/data/{task}_{split}.txt"
    return [f"{section}.dataset.data_dir={output}/data", f"{section}.dataset.label_file_list={label_file}"]


def run(*arguments: str) -> None:
    """Run one command of ocrtune in this process, after showing it as it would be typed."""
    print(f"\n$ ocrtune {shlex.join(arguments)}", flush=True)
    code = ocrtune(list(arguments))
    if code:
        sys.exit(code)


def table(output: Path) -> str:
    """Before and after on the test split."""
    rows = (("rec", "accuracy"), ("rec", "cer"), ("det", "precision"), ("det", "recall"), ("det", "hmean"))
    lines = [f"{'test split':<26}{'base':>9}{'tuned':>9}{'change':>9}"]
    names = {"rec": "recognition", "det": "detection"}
    for task, metric in rows:
        before, after = (
            json.loads((output / f"{task}-{which}.json").read_text())[metric] for which in ("base", "tuned")
        )
        lines.append(f"{names[task] + ' ' + metric:<26}{before:>9.1%}{after:>9.1%}{100 * (after - before):>+9.1f}")
    return "\n".join(lines)


def compare(output: Path, size: Size) -> list[Path]:
    """Photo, base and fine-tuned side by side, for every unseen photo."""
    base, tuned = (read_predictions(output / f"predict-{which}") for which in ("base", "tuned"))
    written = []
    for i in range(size.unseen):
        name = f"{i:02d}.jpg"
        image = cv2.imread(str(output / "unseen" / name))
        picture = side_by_side(image, detection_label(draw_photo(UNSEEN_SEED + i)), base[name], tuned[name])
        written.append(output / "side-by-side" / name)
        write_comparison(written[-1], picture)
    return written


if __name__ == "__main__":
    sys.exit(main())
