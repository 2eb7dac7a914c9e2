"""How long ocrtune takes to where an hour of PaddleOCR's own training gets.

    make bench-time PADDLEOCR=checkout [ARGS="--case rec-v2-wire --minutes 60"]

Same model, weights, training lines and validation lines; PaddleOCR with its own YAML and the best settings found for
it, evaluated after every epoch, ocrtune with its recipe. Weights that come folded get BatchNorms with the statistics of
64 training images for PaddleOCR, so that they compute nearly the same when they train. The two take turns of a minute,
A B A B, the other one stopped; each one's time counts while it runs, from the start of its command. PaddleOCR's best
metric within its minutes is the target.

    python benchmarks/time_to_accuracy.py --draw docs/time_to_accuracy.png RESULT.json ...
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from peers import machine
from peers.cases import KEYS_V1, V2_REC, V6_DET, paddleocr_configs
from peers.curves import Panel, picture
from peers.options import add_peer_options, best_settings
from peers.stamped import Command, Points, evaluations

OURS, THEIRS = "ocrtune", "PaddleOCR"
PROMISED = 8.0
STATISTICS_IMAGES = 64  # of the training images
HELD_OUT, SEED = 0.1, 1024  # of the training labels, as the recipes do it
RECIPES = Path(__file__).parent.parent / "recipes"


@dataclass(frozen=True)
class Case:
    """config: PaddleOCR's YAML. recipe: ocrtune's. data: set and label file below ``shared/data``.

    metrics: PaddleOCR's name, ocrtune's name. later: whether only PaddleOCR 3.7 has the model.
    """

    name: str
    config: str
    recipe: str
    weights: str
    data: tuple[str, str]
    metrics: tuple[str, str]
    later: bool = False


CASES = (
    Case(
        "rec-v2-wire",
        V2_REC,
        "rec/PP-OCRv2.yml",
        "PP-OCRv2_rec",
        ("wire_markers", "rec_train.txt"),
        ("acc", "accuracy_no_space"),
    ),
    Case(
        "det-v6-ic15",
        V6_DET,
        "det/PP-OCRv6_small.yml",
        "PP-OCRv6_small_det",
        ("icdar2015", "train.txt"),
        ("hmean", "hmean"),
        later=True,
    ),
)


@dataclass(frozen=True)
class Files:
    """What both sides read: images' folder, label files, weights for PaddleOCR."""

    images: Path
    training: Path
    validation: Path
    weights: Path


def prepare(case: Case, shared: Path, folder: Path) -> Files:
    """Split the labels and write the released weights as ``.pdparams``."""
    from ocrtune.data.holdout import split_holdout
    from ocrtune.models.fold import form_of
    from ocrtune.models.statistics import set_statistics_
    from ocrtune.weights.pdparams import write_pdparams
    from ocrtune.weights.released import build_released, load_released
    from ocrtune.weights.to_paddle import paddle_state
    from ocrtune.weights.unfold import unfolded

    images = (shared / "data" / case.data[0]).resolve()
    lines = (images / case.data[1]).read_text(encoding="utf-8").splitlines(keepends=True)
    files = Files(images, folder / "training.txt", folder / "validation.txt", folder / "released.pdparams")
    for path, part in zip((files.training, files.validation), split_holdout(lines, HELD_OUT, SEED)):
        path.write_text("".join(part), encoding="utf-8")
    network = load_released(case.weights)[0]
    if form_of(network) != "training":  # PaddleOCR knows no folded network, and trains by BatchNorm's statistics
        network = unfolded(network, build_released(case.weights)[0])
        set_statistics_(network, training_images(case, files))
    write_pdparams(files.weights, paddle_state(network))
    return files


def training_images(case: Case, files: Files) -> Iterator[Any]:
    """Batches (N, 3, H, W) of the first training images, as the recipe evaluates."""
    from ocrtune.config import load_config
    from ocrtune.data.labels import LabelSet, read_label_set
    from ocrtune.data.loader import build_loader
    from ocrtune.training.registries import all_registries

    kind: Literal["det", "rec"]
    kind = "det" if case.recipe.startswith("det") else "rec"
    overrides = [f"Eval.dataset.data_dir={json.dumps(str(files.images))}"]
    overrides.append(f"Eval.dataset.label_file_list={json.dumps(str(files.training))}")
    options = load_config(RECIPES / case.recipe, overrides, all_registries(), ("Eval",)).config.eval
    labels = read_label_set(options.dataset, kind)
    some = LabelSet.of([labels.samples[:STATISTICS_IMAGES]])
    return (batch.image for batch in build_loader(some, options, task=kind, seed=0, training=False))


def paddleocr_config(source: Path, files: Files, folder: Path, dictionary: Path | None) -> Path:
    """PaddleOCR's YAML with other paths, an evaluation after every epoch, and no more workers than cores."""
    config: dict[str, Any] = yaml.safe_load(source.read_text(encoding="utf-8"))
    config["Global"] |= {
        "use_gpu": False,
        "distributed": False,
        "pretrained_model": str(files.weights),
        "save_model_dir": str(folder / "paddleocr"),
        "eval_batch_epoch": 1,
        "print_batch_step": 1,
    }
    if dictionary is not None:
        config["Global"]["character_dict_path"] = str(dictionary)
    for part, labels in (("Train", files.training), ("Eval", files.validation)):
        config[part]["dataset"] |= {"data_dir": str(files.images), "label_file_list": [str(labels)]}
        config[part]["loader"]["num_workers"] = machine.usable_cores()
    written = folder / "paddleocr.yml"
    written.write_text(yaml.safe_dump(config, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return written


def paddleocr_command(case: Case, files: Files, args: argparse.Namespace) -> Command:
    """Its ``tools/train.py``, ended after the minutes."""
    checkout = (args.paddleocr_later if case.later else args.paddleocr).resolve()
    dictionary = checkout / KEYS_V1 if case.config.startswith("rec") else None
    source = paddleocr_configs(args.shared, checkout) / case.config
    config = paddleocr_config(source, files, args.folder, dictionary)
    return Command(
        [args.paddle_python, "tools/train.py", "-c", config],
        rf"cur metric, (?:.*\s)?{case.metrics[0]}: ([0-9.e-]+)",
        args.folder / "paddleocr.log",
        seconds=60 * args.minutes,
        folder=checkout,
        environment={**best_settings(machine.usable_cores()), "PYTHONPATH": str(checkout)},
    )


def ocrtune_command(case: Case, files: Files, args: argparse.Namespace) -> Command:
    """``ocrtune train`` to the end of its recipe, or for the minutes."""
    paths = {
        "Train.dataset.data_dir": files.images,
        "Train.dataset.label_file_list": files.training,
        "Eval.dataset.data_dir": files.images,
        "Eval.dataset.label_file_list": files.validation,
        "Global.save_model_dir": args.folder / "ocrtune",
    }
    overrides = [part for name, path in paths.items() for part in ("-o", f"{name}={json.dumps(str(path))}")]
    return Command(
        [sys.executable, "-m", "ocrtune", "train", "-c", RECIPES / case.recipe, *overrides],
        rf"(?:epoch|before training).*: .*\b{case.metrics[1]} ([0-9.]+)",
        args.folder / "ocrtune.log",
        seconds=60 * args.minutes,
        folder=args.folder,
        environment={},
        quiet=("OMP_NUM_THREADS",),
    )


def verdict(theirs: Points, ours: Points, minutes: float) -> dict[str, Any]:
    """target: the best that PaddleOCR reached. reached: seconds until ocrtune was there, None if never."""
    target = max(value for _, value in theirs)
    reached = next((seconds for seconds, value in ours if value >= target), None)
    return {
        "target": target,
        "reached": reached,
        "ratio": None if reached is None else 60 * minutes / reached,
        "theirs_reached": next(seconds for seconds, value in theirs if value >= target),
    }


def report(case: Case, found: dict[str, Any]) -> None:
    """What was measured, for people."""
    for name, curve in found["curves"].items():
        steps = "  ".join(f"{seconds / 60:.1f} min {value:.4f}" for seconds, value in curve)
        print(f"{name}: {steps}")
    then = f"{found['minutes']:g} minutes of PaddleOCR end with {case.metrics[1]} {found['target']:.4f}"
    if found["reached"] is None:
        print(f"{then}, which ocrtune did not reach")
        return
    told = "met" if found["ratio"] >= PROMISED else "missed"
    print(f"{then}; ocrtune was there after {found['reached'] / 60:.1f}: {found['ratio']:.1f} x sooner", end=" ")
    print(f"(promised {PROMISED:g}: {told})")


def draw(target: Path, results: Sequence[Path]) -> None:
    """The curves of ``results`` as one picture."""
    panels = []
    for path in results:
        found = json.loads(path.read_text(encoding="utf-8"))
        title = f"{found['weights']} on {found['data']}: validation {found['metric']}"
        panels.append(Panel(title, found["curves"], found["target"]))
    target.write_bytes(picture(panels))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_peer_options(parser)
    parser.add_argument("--paddleocr-later", type=Path, help="checkout of 3.7 or later, for PP-OCRv6")
    parser.add_argument("--case", choices=[case.name for case in CASES], default=CASES[0].name)
    parser.add_argument("--minutes", type=float, default=60, help="of PaddleOCR's training")
    parser.add_argument(
        "--folder", type=Path, default=Path("output/time_to_accuracy"), help="runs, logs and result.json"
    )
    parser.add_argument("--draw", type=Path, metavar="PNG", help="only draw the results that follow")
    parser.add_argument("results", type=Path, nargs="*", help="result.json files to draw")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when both were measured."""
    args = parse(arguments)
    if args.draw:
        draw(args.draw, args.results)
        return 0
    case = next(case for case in CASES if case.name == args.case)
    args.folder = args.folder.resolve() / case.name
    args.folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = {"machine": machine.describe(), "minutes": args.minutes, "weights": case.weights}
    found |= {"data": case.data[0], "metric": case.metrics[1]}
    print(machine.line(found["machine"]), flush=True)
    files = prepare(case, args.shared, args.folder)
    ours, theirs = evaluations([ocrtune_command(case, files, args), paddleocr_command(case, files, args)])
    if not theirs:
        print(f"PaddleOCR did not get to an evaluation within {args.minutes:g} minutes; see {args.folder}")
        return 1
    found |= {"curves": {OURS: ours, THEIRS: [ours[0], *theirs]}, **verdict(theirs, ours, args.minutes)}
    (args.folder / "result.json").write_text(json.dumps(found, indent=1) + "\n")
    report(case, found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
