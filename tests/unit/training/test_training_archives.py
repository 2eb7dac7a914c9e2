"""Runs on archives are the runs on the files that were put into them."""

from __future__ import annotations

import json
from pathlib import Path

import lmdb
import pytest
from tiny_runs import det_config, rec_config

from ocrtune.config import RunConfig
from ocrtune.data.tar_shards.pack import pack
from ocrtune.training.run import JOURNAL, evaluate_config, train


def store(data: Path) -> Path:
    """``data/train.txt`` and its images as LMDB."""
    environment = lmdb.open(str(data / "lmdb"), map_size=1 << 22)
    lines = [line.split("\t") for line in (data / "train.txt").read_text().splitlines()]
    with environment.begin(write=True) as transaction:
        transaction.put(b"num-samples", str(len(lines)).encode())
        for number, (name, text) in enumerate(lines, start=1):
            transaction.put(b"image-%09d" % number, (data / name).read_bytes())
            transaction.put(b"label-%09d" % number, text.encode())
    environment.close()
    return data / "lmdb"


def archived(name: str, folder: Path) -> list[str]:
    return [f"{s}.dataset.{key}" for s in ("Train", "Eval") for key in (f"name={name}", f"data_dir={folder}")]


def run(config: RunConfig) -> tuple[list[str], list[dict]]:
    """(lines said, events) of a training on it."""
    said: list[str] = []
    folder = train(config, device="cpu", say=said.append).folder
    return said, [json.loads(line) for line in (folder / JOURNAL).read_text().splitlines()]


def outcome(events: list[dict]) -> list[tuple]:
    return [
        (event["event"], event.get("loss"), event.get("metrics"))
        for event in events
        if event["event"] in ("step", "eval")
    ]


def test_recognition_learns_the_same(tmp_path: Path) -> None:
    rec_config(tmp_path, 1)  # draws the set
    data = tmp_path / "data"
    pack(data / "train.txt", data, tmp_path / "tars", shard_size=10_000)
    options = ("Train.dataset.ratio_list=2", "Global.print_batch_step=1")
    files = f"Train.dataset.label_file_list={data}/train.txt"
    expected = outcome(run(rec_config(tmp_path, 1, files, *options, run="files"))[1])
    assert len([kind for kind, *_ in expected if kind == "step"]) == 2
    for name, folder in (("LMDBDataSet", store(data)), ("TarDataSet", tmp_path / "tars")):
        config = rec_config(tmp_path, 1, *archived(name, folder), *options, run=name)
        assert outcome(run(config)[1]) == expected
    [*_, (_, _, metrics)] = expected
    resumed = rec_config(
        tmp_path,
        1,
        *archived(name, folder),
        *options,
        f"Global.checkpoints={tmp_path}/{name}/latest.safetensors",
        run="again",
    )
    assert evaluate_config(resumed, device="cpu", say=lambda line: None) == metrics


def test_detection_learns_the_same(tmp_path: Path) -> None:
    det_config(tmp_path, 1)
    data = tmp_path / "data"
    pack(data / "train.txt", data, tmp_path / "tars", shard_size=10**9)
    options = ("Train.dataset.ratio_list=2", "Global.print_batch_step=1")
    files = f"Train.dataset.label_file_list={data}/train.txt"
    outcomes = [
        outcome(run(det_config(tmp_path, 1, *more, *options, run=name))[1])
        for name, more in (("files", [files]), ("tars", archived("TarDataSet", tmp_path / "tars")))
    ]
    assert len([kind for kind, *_ in outcomes[0] if kind == "step"]) == 2
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("per_batch", [True, False])
def test_the_shares_are_said(tmp_path: Path, per_batch: bool) -> None:
    rec_config(tmp_path, 1)
    data = tmp_path / "data"
    lines = (data / "train.txt").read_text().splitlines(keepends=True)
    for name, part in (("vertical", lines[:2]), ("general", lines[2:])):
        (data / f"{name}.txt").write_text("".join(part))
        pack(data / f"{name}.txt", data, tmp_path / "tars" / name, shard_size=10**9)
    mixed = (*archived("TarDataSet", tmp_path / "tars"), "Train.dataset.mix={general: 2, vertical: 1}")
    said, _ = run(rec_config(tmp_path, 1, *mixed, f"Train.dataset.mix_per_batch={str(per_batch).lower()}"))
    assert "  each epoch draws 6 of 6 from general, 3 of 2 from vertical" in said
    assert ("  each batch has 66.7% from general, 33.3% from vertical" in said) == per_batch
