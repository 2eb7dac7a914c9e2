"""The loader from label file to batch."""

from __future__ import annotations

import multiprocessing
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from conftest_data import components, section

from ocrtune.codec.image import DetPreprocess, RecPreprocess
from ocrtune.config.data_schema import DataOptions
from ocrtune.core.charset import Charset
from ocrtune.core.errors import ConfigError, DataError
from ocrtune.core.records import Batch
from ocrtune.data.labels import LabelSet, read_label_set
from ocrtune.data.loader import Loader, build_loader

DET_STEPS = (
    ("DecodeImage", {"img_mode": "BGR"}),
    ("DetLabelEncode", {}),
    ("CopyPaste", {}),
    ("ColorJitter", {"brightness": 0.4, "contrast": 0.4, "saturation": 0.7, "hue": 0.1}),
    ("IaaAugment", {}),
    ("RandomPerspective", {"prob": 0.3, "shear": 20.0, "perspective": 0.001}),
    ("EastRandomCropData", {"size": [96, 64], "max_tries": 50}),
    ("MakeBorderMap", {}),
    ("MakeShrinkMap", {}),
    ("NormalizeImage", {}),
    ("ToCHWImage", {}),
)
REC_STEPS = (
    ("DecodeImage", {}),
    ("RecConAug", {"image_shape": [32, 320, 3]}),
    ("RecAug", {}),
    ("MultiLabelEncode", {}),
)
RESIZE = ("RecResizeImg", {"image_shape": [3, 32, 160]})


def options(path: Path, *steps: tuple[str, dict[str, object]], **rest: Any) -> DataOptions:
    loader = {"batch_size_per_card": 4, "num_workers": 0, "shuffle": True, **rest.pop("loader", {})}
    dataset = {"data_dir": str(path.parent), "label_file_list": str(path), **rest.pop("dataset", {})}
    return section({"dataset": dataset, "loader": loader, **rest}, components(*steps))


def load(path: Path, given: DataOptions, charset: Charset | None = None, training: bool = True) -> Loader:
    task = "rec" if charset else "det"
    labels = read_label_set(given.dataset, task)
    return build_loader(labels, given, task=task, seed=7, training=training, charset=charset)


def epoch_of(loader: Loader, epoch: int) -> list[Batch]:
    loader.set_epoch(epoch)
    return list(loader)


def same(first: list[Batch], second: list[Batch]) -> bool:
    return all(
        torch.equal(a.image, b.image)
        and [s.source for s in a.samples] == [s.source for s in b.samples]
        and all(torch.equal(a.targets[name], b.targets[name]) for name in a.targets)
        for a, b in zip(first, second, strict=True)
    )


def test_detection_batches(det_set: Path) -> None:
    loader = load(det_set, options(det_set, *DET_STEPS))
    batches = epoch_of(loader, 0)
    assert [len(batch) for batch in batches] == [4, 2]
    assert len(loader) == 2
    assert sorted(sample.image_path.name for batch in batches for sample in batch.samples) == [
        f"page{i}.png" for i in range(6)
    ]
    for batch in batches:
        assert batch.image.shape == (len(batch), 3, 64, 96)
        assert set(batch.targets) == {"threshold_map", "threshold_mask", "shrink_map", "shrink_mask"}
        kinds = {name: target.dtype for name, target in batch.targets.items()}
        assert kinds.pop("threshold_map") == batch.image.dtype == torch.float32
        assert set(kinds.values()) == {torch.uint8}
        assert all(target.shape == (len(batch), 64, 96) for target in batch.targets.values())
        assert all(bool(((target >= 0) & (target <= 1)).all()) for target in batch.targets.values())


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system has no fork")
def test_later_epochs_read_no_file_and_see_the_same(det_set: Path) -> None:
    given = options(det_set, *DET_STEPS, loader={"num_workers": 2})
    anew = load(det_set, replace(given, loader=replace(given.loader, cache_images=0)))
    assert anew.cache_gib < 1e-6
    expected = [epoch_of(anew, epoch) for epoch in (0, 1)]
    loader = load(det_set, replace(given, loader=replace(given.loader, cache_images=0.01)))
    assert same(epoch_of(loader, 0), expected[0])
    for page in det_set.parent.glob("page*.png"):
        page.unlink()
    assert same(epoch_of(loader, 1), expected[1])
    with pytest.raises(DataError, match="cannot read"):
        epoch_of(anew, 1)


def test_padding_that_all_crops_share_is_cut_off(det_set: Path) -> None:
    steps = [
        ("EastRandomCropData", {"size": [640, 640], "enlarge": False}) if s[0] == "EastRandomCropData" else s
        for s in DET_STEPS
    ]
    for batch in epoch_of(load(det_set, options(det_set, *steps)), 0):
        height, width = batch.image.shape[-2:]
        assert height <= 384  # pages of 200 x 120, up to three times as large, in a frame of 640 x 640
        assert width <= 608
        assert all(target.shape[-2:] == batch.image.shape[-2:] for target in batch.targets.values())


def test_recognition_batches(rec_set: Path, charset: Charset) -> None:
    batches = epoch_of(load(rec_set, options(rec_set, *REC_STEPS, RESIZE), charset), 0)
    assert len(batches) == 6
    for batch in batches:
        assert batch.image.shape == (4, 3, 32, 160)
        assert batch.targets["ctc"].shape == (4, 25)
        assert batch.targets["sar"].shape == (4, 27)
        assert batch.targets["length"].shape == (4,)
        types = {name: target.dtype for name, target in batch.targets.items()}
        assert types.pop("valid_ratio") == torch.float32
        assert set(types.values()) == {torch.int64}


def test_valid_ratio_is_a_share_of_the_padded_batch(rec_set: Path, charset: Charset) -> None:
    """Crops in buckets have tensors of unequal width; the columns behind them hold nothing."""
    steps = (("DecodeImage", {}), ("CTCLabelEncode", {}), RESIZE)
    given = options(rec_set, *steps, sampler={"name": "WidthBucketSampler", "width_step": 64, "min_width": 64})
    seen = set()
    for batch in epoch_of(load(rec_set, given, charset), 0):
        width = batch.image.shape[3]
        for image, ratio in zip(batch.image, batch.targets["valid_ratio"]):
            columns = round(float(ratio) * width)
            assert torch.all(image[:, :, columns:] == 0)
            assert torch.any(image[:, :, columns - 1] != 0)
            seen.add(columns < width)
    assert seen == {True, False}


def test_width_buckets_in_batches(rec_set: Path, charset: Charset) -> None:
    given = options(rec_set, *REC_STEPS, RESIZE, sampler={"name": "WidthBucketSampler", "width_step": 16})
    widths = {batch.image.shape[3] for epoch in range(3) for batch in epoch_of(load(rec_set, given, charset), epoch)}
    assert len(widths) > 2
    assert all(width % 16 == 0 and 64 <= width <= 1280 for width in widths)


def test_multi_scale_without_resize(rec_set: Path, charset: Charset) -> None:
    sampler = {"name": "MultiScaleSampler", "scales": [[96, 32], [96, 48]], "first_bs": 6, "fix_bs": False}
    given = options(rec_set, *REC_STEPS, sampler=sampler, dataset={"name": "MultiScaleDataSet"})
    shapes = [tuple(batch.image.shape) for batch in epoch_of(load(rec_set, given, charset), 0)]
    assert sum(shape[0] for shape in shapes) == 24
    assert {shape[1:] for shape in shapes} == {(3, 32, 96), (3, 48, 96)}


@pytest.mark.parametrize("task", ["det", "rec"])
def test_epochs_repeat_for_any_number_of_workers(task: str, det_set: Path, rec_set: Path, charset: Charset) -> None:
    path, steps = (det_set, DET_STEPS) if task == "det" else (rec_set, (*REC_STEPS, RESIZE))
    loaders = []
    for workers in (0, 2):
        given = options(path, *steps, loader={"num_workers": workers})
        loaders.append(load(path, given, charset if task == "rec" else None))
    alone, workers = ([epoch_of(loader, epoch) for epoch in (0, 1, 0)] for loader in loaders)
    assert all(same(first, second) for first, second in zip(alone, workers, strict=True))
    assert same(alone[0], alone[2])
    assert not same(alone[0], alone[1])


def test_little_shared_memory(rec_set: Path, charset: Charset, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = epoch_of(load(rec_set, options(rec_set, *REC_STEPS, RESIZE), charset), 0)
    monkeypatch.setattr("ocrtune.data.loader._shared_memory", lambda: 64 * 2**20)
    given = options(rec_set, *REC_STEPS, RESIZE, loader={"num_workers": 1})
    batches = epoch_of(load(rec_set, given, charset), 0)
    assert same(batches, expected)
    assert not any(batch.image.is_shared() for batch in batches)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_broken_image_stops_training_with_its_line(det_set: Path, workers: int) -> None:
    given = options(det_set, *DET_STEPS[:2], *DET_STEPS[4:5], *DET_STEPS[6:], loader={"num_workers": workers})
    loader = load(det_set, given)
    (det_set.parent / "page3.png").write_bytes(b"no image")
    with pytest.raises(DataError) as caught:
        epoch_of(loader, 0)
    expected = f"{det_set}:4: {det_set.parent / 'page3.png'} is not an image that OpenCV can decode"
    assert str(caught.value) == expected


def test_detection_evaluation(det_set: Path) -> None:
    resize = {"limit_side_len": 96, "limit_type": "max"}
    given = options(
        det_set, *DET_STEPS[:2], ("DetResizeForTest", resize), *DET_STEPS[9:], loader={"batch_size_per_card": 1}
    )
    batches = epoch_of(load(det_set, given, training=False), 0)
    assert [batch.samples[0].image_path.name for batch in batches] == [f"page{i}.png" for i in range(6)]
    expected, scale = DetPreprocess(limit_side_len=96)(cv2.imread(str(det_set.parent / "page2.png")))
    np.testing.assert_array_equal(batches[2].image[0].numpy(), expected)
    assert batches[2].meta == (scale,)
    assert batches[2].targets == {}
    assert len(batches[1].samples[0].instances) == 2
    assert batches[5].samples[0].instances == ()


def test_recognition_evaluation(rec_set: Path, charset: Charset) -> None:
    given = options(rec_set, ("DecodeImage", {}), ("CTCLabelEncode", {}), RESIZE, loader={"drop_last": True})
    loader = load(rec_set, given, charset, training=False)
    batches = epoch_of(loader, 0)
    assert len(batches) == len(loader)
    assert sorted(int(s.source.split(":")[1]) for b in batches for s in b.samples) == list(range(1, 25))
    preprocess = RecPreprocess((3, 32, 160))
    for batch in batches:
        for sample, tensor in zip(batch.samples, batch.image):
            np.testing.assert_array_equal(tensor.numpy(), preprocess(cv2.imread(str(sample.image_path))))
    assert {batch.image.shape[3] for batch in batches} == {160, 168, 176, 184, 192, 200, 208, 216, 224}


def test_evaluation_reports_a_broken_image(rec_set: Path, charset: Charset) -> None:
    given = options(rec_set, ("DecodeImage", {}), RESIZE)
    loader = load(rec_set, given, charset, training=False)
    (rec_set.parent / "crop5.png").unlink()
    with pytest.raises(DataError, match=rf"{rec_set}:6: cannot read .*crop5.png \(No such file or directory\)"):
        epoch_of(loader, 0)


def test_list_of_images_draws_all_of_them(rec_set: Path, charset: Charset) -> None:
    listed = rec_set.parent / "list.txt"
    listed.write_text('["crop0.png", "crop9.png"]\tAB\n' * 4)
    loader = load(listed, options(listed, ("DecodeImage", {}), ("CTCLabelEncode", {}), RESIZE), charset)
    sums = {float(image.sum()) for epoch in range(5) for batch in epoch_of(loader, epoch) for image in batch.image}
    assert len(sums) == 2


def test_sections_that_do_not_fit(det_set: Path, rec_set: Path, charset: Charset) -> None:
    given = options(det_set, *DET_STEPS, sampler={"name": "WidthBucketSampler"})
    with pytest.raises(ConfigError, match=r"Train.sampler: WidthBucketSampler is for recognition. remove it"):
        load(det_set, given)
    given = options(rec_set, *REC_STEPS, RESIZE, loader={"batch_size_per_card": 100, "drop_last": True})
    with pytest.raises(ConfigError, match=r"24 samples are fewer than one batch, and drop_last leaves none"):
        load(rec_set, given, charset)
    with pytest.raises(DataError, match="the transforms end without making a tensor"):
        epoch_of(load(rec_set, options(rec_set, *REC_STEPS), charset), 0)
    labels = read_label_set(given.dataset, "rec")
    with pytest.raises(ConfigError, match="recognition labels need a dictionary"):
        build_loader(labels, options(rec_set, *REC_STEPS, RESIZE), task="rec", seed=1, training=True)
    with pytest.raises(DataError, match="no sample is left"):
        build_loader(LabelSet.of([]), given, task="rec", seed=1, training=True, charset=charset)
