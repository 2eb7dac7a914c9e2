"""Training on a GPU: images per second with data from disk against the ceiling of a batch that is already there.

    python benchmarks/gpu_training.py --data SET [--workers 4,12] [--steps 40] [--json FILE]

SET: a folder in PaddleOCR's format with train.txt (pages) and rec_train.txt (crops); without it, drawn images.
Prints, per network and batch size: the ceiling (one batch, stepped again and again) as it is, with torch.compile and
with CUDA graphs; then with data from disk for each number of workers: the share of the ceiling, how busy the GPU was,
and the memory. ``--device cpu --smallest`` runs it all in seconds without a GPU, to see that it works.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, repeat
from pathlib import Path
from typing import Any, Literal

import torch

from ocrtune.core.errors import TrainingError
from ocrtune.core.records import Batch
from ocrtune.training.run import Parts
from ocrtune.training.step import Trainer
from peers.cases import V4_DET, V4_REC, V6_DET, V6_REC
from peers.dictionary import released_dictionary
from peers.made_sets import LabelledSet, make_set
from peers.ocrtune_run import made_up_batch, make_run

RECIPES = Path(__file__).parent.parent / "recipes"
BUSY, SHARE = 0.90, 0.90  # promised: GPU busy, and images per second against the ceiling
_WARM_UP = 5
_COMPILE = {"compiled": "default", "CUDA graphs": "reduce-overhead"}  # torch.compile's modes


@dataclass(frozen=True)
class Network:
    """config: below ``--configs``. height, width: pixels. batches: sizes to try."""

    name: str
    config: str
    height: int
    width: int
    batches: tuple[int, ...]

    @property
    def kind(self) -> Literal["det", "rec"]:
        return "det" if self.config.startswith("det/") else "rec"


NETWORKS = (
    Network("det-v4", V4_DET, 640, 640, (8, 16, 32, 64)),
    Network("det-v6", V6_DET, 640, 640, (8, 16, 32, 64)),
    Network("rec-v4", V4_REC, 48, 320, (128, 256, 512)),
    Network("rec-v6", V6_REC, 48, 320, (128, 256, 512)),
)
SMALLEST = (Network("det-smallest", "det/PP-OCRv2_student.yml", 64, 96, (1,)),)


class BusyGpu:
    """How busy the GPU is while a ``with`` block runs, sampled by nvidia-smi; None where there is none."""

    def __enter__(self) -> BusyGpu:
        command = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "-lms", "100"]
        self._process = None
        if torch.cuda.is_available() and shutil.which("nvidia-smi"):
            command += ["-i", os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]]
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.share: float | None = None
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is None:
            return
        self._process.terminate()
        output, _error = self._process.communicate()
        values = [float(line) / 100 for line in output.split("\n")[:-1] if line.strip().isdigit()]
        self.share = statistics.fmean(values) if values else None


def synchronise(trainer: Trainer) -> None:
    """Wait until the device has done what was asked of it."""
    if trainer.device.type == "cuda":
        torch.cuda.synchronize(trainer.device)


def images_per_second(trainer: Trainer, batches: Iterator[Batch], steps: int) -> dict[str, Any]:
    """Learn from ``steps`` batches after some to warm up: images a second, GPU busy, GiB at most."""
    warm_up = _WARM_UP if trainer.device.type == "cuda" else 1
    for batch in islice(batches, warm_up):
        trainer.step([batch])
    synchronise(trainer)
    if trainer.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(trainer.device)
    if trainer.pieces > 1:  # which is how a run would go on
        raise torch.OutOfMemoryError(f"does not fit the memory, it was cut into {trainer.pieces} pieces")
    images = 0
    with BusyGpu() as gpu:
        start = time.perf_counter()
        for batch in islice(batches, steps):
            trainer.step([batch])
            images += len(batch)
        synchronise(trainer)
        seconds = time.perf_counter() - start
    memory = torch.cuda.max_memory_allocated(trainer.device) / 2**30 if trainer.device.type == "cuda" else None
    return {"images_per_second": images / seconds, "busy": gpu.share, "gib": memory}


def endless(parts: Parts) -> Iterator[Batch]:
    """The batches of the training loader, epoch after epoch."""
    epoch = 0
    while True:
        parts.train_loader.set_epoch(epoch)
        yield from parts.train_loader
        epoch += 1


def ceilings(parts: Parts, batch: Batch, args: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """By form of the network, the rate of one batch on the device; what PyTorch cannot compile says why."""
    trainer = parts.trainer
    on_device = Batch(
        batch.image.to(trainer.device),
        {name: value.to(trainer.device) for name, value in batch.targets.items()},
        batch.samples,
    )
    plain = trainer.model
    forms = {} if args.no_compile else _COMPILE
    yield "as it is", images_per_second(trainer, repeat(on_device), args.steps)
    for form, mode in forms.items():
        torch.compiler.reset()
        trainer.model = torch.compile(plain, mode=mode)
        try:
            yield form, images_per_second(trainer, repeat(on_device), args.steps)
        except Exception as problem:  # whatever a compiler raises is a finding here
            yield form, {"failed": f"{type(problem).__name__}: {str(problem).splitlines()[0]}"}
        trainer.pieces = 1
    trainer.model = plain


def overrides(network: Network, size: int, workers: int) -> list[str]:
    """The batch size and number of workers, whatever sampler the YAML has; recognition at one size."""
    found = [f"Train.loader.batch_size_per_card={size}", f"Train.loader.num_workers={workers}"]
    if network.config in (V4_REC, V6_REC):
        scales = f"[[{network.width}, {network.height}]]"
        found += [f"Train.sampler.scales={scales}", f"Train.sampler.first_bs={size}"]
    return found


def measure(network: Network, size: int, args: Any) -> list[dict[str, Any]]:
    """The lines of one network at one batch size, printed as they come."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dictionary = released_dictionary(folder) if network.kind == "rec" else None
        data = _data(network, size, args, folder / "images")
        for number, workers in enumerate(args.workers):
            torch.manual_seed(0)
            parts = make_run(
                args.configs / network.config,
                dictionary,
                folder / f"workers{workers}",
                data=data,
                device=args.device,
                more=overrides(network, size, workers),
            )
            if number == 0:
                batch = made_up_batch((size, 3, network.height, network.width), dictionary)
                for form, found in ceilings(parts, batch, args):
                    rows.append(_printed({"network": network.name, "batch": size, "data": f"none, {form}", **found}))
            found = images_per_second(parts.trainer, endless(parts), args.steps)
            found["share"] = found["images_per_second"] / rows[0]["images_per_second"]
            rows.append(_printed({"network": network.name, "batch": size, "data": f"disk, {workers} workers", **found}))
    return rows


def _data(network: Network, size: int, args: Any, folder: Path) -> LabelledSet:
    """The labelled set of ``--data``, or drawn images enough for several batches."""
    if args.data is None:
        shape = (720, 1280) if network.kind == "det" else (48, 200)
        return make_set(folder, network.kind, 4 * size, (96, 128) if args.smallest else shape)
    labels = args.data / ("train.txt" if network.kind == "det" else "rec_train.txt")
    return LabelledSet(labels.resolve(), args.data.resolve(), len(labels.read_text(encoding="utf-8").splitlines()))


def _printed(row: dict[str, Any]) -> dict[str, Any]:
    """``row``, after showing it."""
    head = f"{row['network']:12} batch {row['batch']:4}  {row['data']:18}"
    if "failed" in row:
        print(f"{head} failed: {row['failed']}", flush=True)
        return row
    text = f"{head} {row['images_per_second']:9.1f} images/s"
    for name, wanted in (("share", SHARE), ("busy", BUSY)):
        if row.get(name) is not None:
            verdict = "" if "share" not in row else ", met" if row[name] >= wanted else f", below {wanted:.0%}"
            text += f"  {name} {row[name]:.0%}{verdict}"
    if row["gib"] is not None:
        text += f"  {row['gib']:.1f} GiB"
    print(text, flush=True)
    return row


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure all networks and batch sizes; a batch that does not fit the memory ends its network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--configs", type=Path, help="folder with PaddleOCR's YAML files")
    parser.add_argument("--data", type=Path, help="labelled set; default: drawn images")
    parser.add_argument("--networks", help="comma-separated; default all")
    parser.add_argument("--workers", type=lambda text: [int(part) for part in text.split(",")], default=[4, 12])
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile and CUDA graphs out")
    parser.add_argument("--smallest", action="store_true", help="one tiny network: does the script work?")
    parser.add_argument("--json", type=Path, help="write everything there as well")
    args = parser.parse_args(arguments)
    if args.smallest:
        args.configs, args.no_compile, args.workers, args.steps = RECIPES, True, [0], 2
    if args.configs is None:
        args.configs = Path(os.environ.get("OCRTUNE_SHARED", "../shared"), "paddleocr-configs")
    if args.device.startswith("cuda") and not torch.cuda.is_available():
        parser.error("PyTorch finds no GPU; --device cpu --smallest only shows that the script works")
    wanted = args.networks.split(",") if args.networks else None
    name = torch.cuda.get_device_name() if args.device.startswith("cuda") else args.device
    print(f"{name}, PyTorch {torch.__version__}, CUDA {torch.version.cuda}, {os.cpu_count()} cores")
    rows: list[dict[str, Any]] = []
    for network in SMALLEST if args.smallest else NETWORKS:
        if wanted and network.name not in wanted:
            continue
        for size in network.batches:
            try:
                rows += measure(network, size, args)
            except (torch.OutOfMemoryError, TrainingError) as problem:
                print(f"{network.name:12} batch {size:4}  ended: {problem}")
                break
            if args.json:
                args.json.write_text(json.dumps(rows, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
