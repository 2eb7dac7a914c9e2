"""PaddleOCR's LMDBDataSet."""

from __future__ import annotations

import multiprocessing
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from archives import labelled_files, write_lmdb
from conftest_data import components, section

from ocrtune.config.data_schema import DataOptions, DatasetOptions
from ocrtune.core.charset import Charset
from ocrtune.core.errors import ConfigError, DataError
from ocrtune.data import lmdb_set
from ocrtune.data.image_file import find_damage, image_size, read_image
from ocrtune.data.labels import read_label_set, read_splits
from ocrtune.data.lmdb_set import read_samples
from ocrtune.data.loader import build_loader

STEPS = (("DecodeImage", {}), ("RecConAug", {"image_shape": [32, 160, 3]}), ("RecAug", {}), ("CTCLabelEncode", {}))


def dataset(folder: Path, **more: object) -> DatasetOptions:
    options: dict[str, object] = {"name": "LMDBDataSet", "data_dir": str(folder), **more}
    return section({"dataset": options, "loader": {"batch_size_per_card": 8}}, []).dataset


def data_options(raw: dict[str, object], workers: int) -> DataOptions:
    loader = {"batch_size_per_card": 6, "num_workers": workers, "shuffle": True}
    given = {"dataset": raw, "loader": loader, "sampler": {"name": "WidthBucketSampler"}}
    return section(given, components(*STEPS, ("RecResizeImg", {"image_shape": [3, 32, 160]})))


@pytest.mark.parametrize("workers", [0, 2])
def test_same_batches_as_from_files(rec_set: Path, tmp_path: Path, charset: Charset, workers: int) -> None:
    write_lmdb(tmp_path / "lmdb", labelled_files(rec_set))
    as_files = {"data_dir": str(tmp_path), "label_file_list": str(rec_set), "ratio_list": 0.75}
    as_store = {"name": "LMDBDataSet", "data_dir": str(tmp_path / "lmdb"), "ratio_list": 0.75}
    epochs = []
    for raw, processes in ((as_files, 0), (as_store, workers)):
        options = data_options(raw, processes)
        labels = read_label_set(options.dataset, "rec")
        read_image(labels.samples[0].image_path, "")  # the store is open before the workers are
        epochs.append(list(build_loader(labels, options, task="rec", seed=3, training=True, charset=charset)))
    assert [len(batch) for batch in epochs[0]] == [6, 6, 6]
    for files, store in zip(*epochs, strict=True):
        assert [sample.text for sample in files.samples] == [sample.text for sample in store.samples]
        assert torch.equal(files.image, store.image)
        assert all(torch.equal(files.targets[name], store.targets[name]) for name in files.targets)


def test_images_are_read_as_files_are(rec_set: Path, tmp_path: Path) -> None:
    store = write_lmdb(tmp_path / "lmdb", labelled_files(rec_set))
    for number, sample in enumerate(read_samples(store)):
        path = tmp_path / f"crop{number}.png"
        assert np.array_equal(read_image(sample.image_path, ""), read_image(path, ""))
        assert image_size(sample.image_path, "") == image_size(path, "")
        assert find_damage(sample.image_path) == ""
    assert sample.source == f"{store}:24"
    assert str(sample.image_path) == f"{store}/image-000000024"


def test_a_tree_of_stores(tmp_path: Path) -> None:
    for name, count in (("ST", 6), ("MJ/valid", 3), ("MJ/train", 2)):
        write_lmdb(tmp_path / "all" / name, [(b"x", f"{name[-1]}{i}") for i in range(count)])
    (tmp_path / "all" / "notes").mkdir()  # PaddleOCR's walk would open it
    labels = read_label_set(dataset(tmp_path / "all"), "rec")
    assert labels.names == ("MJ/train", "MJ/valid", "ST")
    assert [sample.text for sample in labels.samples[:3]] == ["n0", "n1", "d0"]
    assert labels.epoch_counts() == [(2, 2), (3, 3), (6, 6)]
    mixed = read_label_set(dataset(tmp_path / "all", mix={"MJ/train": 1, "MJ/valid": 1, "ST": 2}), "rec")
    assert mixed.epoch_counts() == [(2, 2), (2, 3), (4, 6)]
    half = read_label_set(dataset(tmp_path / "all", ratio_list=[1, 1, 0.5]), "rec")
    assert half.epoch_counts() == [(2, 2), (3, 3), (3, 6)]
    training, held = read_splits(dataset(tmp_path / "all" / "ST"), DatasetOptions(holdout=0.5), "rec", 1)
    assert (len(training), len(held), training.names) == (3, 3, ("ST",))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"mix": {"a": 1, "c": 1}}, r"Train.dataset.mix: it names a, c, but in .*/all there are 2: a, b"),
        ({"ratio_list": [1, 1, 0.5]}, "ratio_list: 3 ratios, but in .* there are 2: a, b"),
    ],
)
def test_shares_of_other_stores_are_refused(tmp_path: Path, more: dict[str, object], said: str) -> None:
    for name in "ab":
        write_lmdb(tmp_path / "all" / name, [(b"x", "A")])
    with pytest.raises(ConfigError, match=said):
        read_label_set(dataset(tmp_path / "all", **more), "rec")


def test_bad_records_are_told_together(tmp_path: Path) -> None:
    store = write_lmdb(
        tmp_path / "lmdb",
        [(b"x", "A")] * 5,
        label_000000002=None,
        image_000000003=None,
        label_000000004=b" ",
        label_000000005=b"\xff",
    )
    with pytest.raises(DataError) as caught:
        read_samples(store)
    assert [str(problem).removeprefix(f"{store}:").split(". ")[0] for problem in caught.value.problems] == [
        "2: it has no label-000000002",
        "3: it has no image-000000003",
        "4: the text is empty",
        "5: label-000000005 is not UTF-8",
    ]


@pytest.mark.parametrize("count", [None, b"0", b"many"])
def test_a_store_of_something_else(tmp_path: Path, count: bytes | None) -> None:
    store = write_lmdb(tmp_path / "lmdb", [(b"x", "A")], num_samples=count)
    with pytest.raises(DataError, match=r"num-samples.* LMDBDataSet reads num-samples, image-000000001"):
        read_samples(store)


def test_damaged_stores(tmp_path: Path) -> None:
    store = write_lmdb(tmp_path / "cut", [(os.urandom(9000), "A")] * 9)
    with (store / "data.mdb").open("r+b") as file:
        file.truncate(20_000)  # reading on would be a bus error
    with pytest.raises(DataError, match=r"cut: data.mdb is cut off: 20,000 of .* bytes. copy it again"):
        read_samples(store)
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "data.mdb").write_bytes(b"no store" * 2000)
    with pytest.raises(DataError, match=r"none: data.mdb is not an LMDB store, or damaged"):
        read_samples(tmp_path / "none")
    with pytest.raises(ConfigError, match=r"Train.dataset.data_dir: no data.mdb in .*nowhere or below it"):
        read_label_set(dataset(tmp_path / "nowhere"), "rec")


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = write_lmdb(tmp_path / "lmdb", [(b"x", "A")])
    monkeypatch.setitem(sys.modules, "lmdb", None)
    with pytest.raises(
        DataError, match=r"needs the package lmdb, which is not installed. pip install 'ocrtune\[lmdb\]'"
    ):
        read_samples(store)


def test_a_forked_process_opens_the_store_anew(tmp_path: Path) -> None:
    """What a parent opened must not be used, and py-lmdb opens nothing that is open already."""
    store = write_lmdb(tmp_path / "lmdb", [(b"first", "A"), (b"second", "B")])
    first, second = (sample.image_path for sample in read_samples(store))
    assert first.read_bytes() == b"first"
    assert store in lmdb_set._open
    receive, send = multiprocessing.Pipe(duplex=False)
    context = multiprocessing.get_context("fork")
    child = context.Process(target=lambda: send.send((store in lmdb_set._open, second.read_bytes())))
    child.start()
    assert store not in lmdb_set._open
    assert receive.poll(60)
    assert receive.recv() == (False, b"second")
    child.join()
    assert first.read_bytes() == b"first"
