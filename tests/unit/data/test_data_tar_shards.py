"""Tar shards: written by pack, or elsewhere; read at their offsets; refused when they are not what they were."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from archives import write_tar
from conftest_data import components, page, section
from PIL import Image as PilImage

from ocrtune.cli.main import main
from ocrtune.config.data_schema import DatasetOptions
from ocrtune.core.charset import Charset
from ocrtune.core.errors import ConfigError, DataError
from ocrtune.core.records import Sample
from ocrtune.data.checks.detection import check_detection
from ocrtune.data.formats import paddle_det, paddle_rec
from ocrtune.data.image_file import find_damage, image_size, read_image
from ocrtune.data.labels import LabelSet, read_label_set
from ocrtune.data.loader import build_loader
from ocrtune.data.tar_shards.index import INDEX, read_index, write_index
from ocrtune.data.tar_shards.labels import read_samples
from ocrtune.data.tar_shards.pack import guess_task, pack

DET = (
    ("DecodeImage", {}),
    ("DetLabelEncode", {}),
    ("CopyPaste", {}),
    ("IaaAugment", {}),
    ("EastRandomCropData", {"size": [96, 64], "max_tries": 5}),
    ("MakeBorderMap", {}),
    ("MakeShrinkMap", {}),
    ("NormalizeImage", {}),
    ("ToCHWImage", {}),
)
REC = (
    ("DecodeImage", {}),
    ("RecConAug", {"image_shape": [32, 160, 3]}),
    ("CTCLabelEncode", {}),
    ("RecResizeImg", {"image_shape": [3, 32, 160]}),
)


def batches(raw: dict[str, object], task: str, charset: Charset | None, training: bool = True) -> list:
    sampler = {"sampler": {"name": "WidthBucketSampler"}} if task == "rec" and training else {}
    steps = components(*(REC if task == "rec" else DET)) if training else components(*_evaluation(task))
    loader = {"batch_size_per_card": 4, "num_workers": 0, "shuffle": True}
    options = section({"dataset": raw, "loader": loader, **sampler}, steps)
    labels = read_label_set(options.dataset, task)
    return list(build_loader(labels, options, task=task, seed=5, training=training, charset=charset))


def _evaluation(task: str) -> tuple:
    resize = {"rec": ("RecResizeImg", {"image_shape": [3, 32, 160]}), "det": ("DetResizeForTest", {})}[task]
    return (("DecodeImage", {}), resize, *(() if task == "rec" else (("NormalizeImage", {}),)))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("task", ["det", "rec"])
def test_same_batches_as_from_files(
    request: pytest.FixtureRequest, tmp_path: Path, charset: Charset, task: str, training: bool
) -> None:
    labels = request.getfixturevalue(f"{task}_set")
    done = pack(labels, tmp_path, tmp_path / "tars", shard_size=90_000)
    assert done.task == task
    assert done.shards == len([*(tmp_path / "tars").glob("*.tar")]) > 1
    files = {"data_dir": str(tmp_path), "label_file_list": str(labels), "ratio_list": 0.8}
    tars = {"name": "TarDataSet", "data_dir": str(tmp_path / "tars"), "ratio_list": 0.8}
    known = charset if task == "rec" else None
    first, second = (batches(raw, task, known, training) for raw in (files, tars))
    assert len(first) > 1
    for a, b in zip(first, second, strict=True):
        assert [_label(sample) for sample in a.samples] == [_label(sample) for sample in b.samples]
        assert torch.equal(a.image, b.image)
        assert all(torch.equal(a.targets[name], b.targets[name]) for name in a.targets)


def _label(sample: Sample) -> tuple:
    return sample.text, [(i.text, i.polygon.tolist(), i.ignore) for i in sample.instances]


def test_a_shard_is_a_tar_of_the_very_files(rec_set: Path, tmp_path: Path) -> None:
    pack(rec_set, tmp_path, tmp_path / "one", shard_size=10**9)
    with tarfile.open(tmp_path / "one" / "000000.tar") as tar:
        names = tar.getnames()
        assert names[:3] == ["000000001.png", "000000001.txt", "000000002.png"]
        crop, text = (tar.extractfile(name) for name in names[-2:])
        assert crop is not None
        assert text is not None
        assert crop.read() == (tmp_path / "crop23.png").read_bytes()
        assert text.read() == b"F6"
    pack(rec_set, tmp_path, tmp_path / "again", shard_size=10**9)
    assert len({(tmp_path / name / "000000.tar").read_bytes() for name in ("one", "again")}) == 1


def test_no_shard_is_larger_than_asked(rec_set: Path, tmp_path: Path) -> None:
    done = pack(rec_set, tmp_path, tmp_path / "tars", shard_size=60_000)
    sizes = [path.stat().st_size for path in sorted((tmp_path / "tars").glob("*.tar"))]
    assert done.shards == len(sizes) > 3
    assert max(sizes) <= -(-60_000 // tarfile.RECORDSIZE) * tarfile.RECORDSIZE
    assert min(sizes[:-1]) > 30_000
    samples = read_samples(tmp_path / "tars", "rec")
    assert [sample.text for sample in samples] == [s.text for s in paddle_rec.read_labels(rec_set, tmp_path)]
    assert pack(rec_set, tmp_path, tmp_path / "each", shard_size=1).shards == 24


def test_labels_survive(write: Callable[[str, bytes], Path], tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.JPG"), page(1))
    cv2.imwrite(str(tmp_path / "b.png"), page(2))
    texts = [" leading", "line\u2028separator \x85", "日本", "tail "]
    lines = "".join(f"a.JPG\t{text}\n\n" for text in texts) + '["a.JPG", "b.png"]\tboth\n'
    path = write("rec.txt", lines.encode())
    pack(path, tmp_path, tmp_path / "tars", shard_size=10**6)
    samples = read_samples(tmp_path / "tars", "rec")
    assert [sample.text for sample in samples] == [*texts, "both"]
    assert [sample.image_path.name for sample in samples[1:3]] == ["000000003.jpg", "000000005.jpg"]  # lines 3 and 5
    assert [image.name for image in samples[-1].alternatives] == ["000000009.1.png"]
    assert samples[0].source == f"{tmp_path}/tars/000000.tar:000000001"
    bent = [[1.25, 2], [30, 2.1], [60, 3], [60, 20], [30, 19], [1, 20]]
    label = json.dumps([{"transcription": "*", "points": bent, "difficult": True}])
    path = write("det.txt", f"a.JPG\t{label}\nb.png\t[]\n".encode())
    pack(path, tmp_path, tmp_path / "det", shard_size=10**6)
    found, expected = read_samples(tmp_path / "det", "det"), paddle_det.read_labels(path, tmp_path)
    assert [_label(sample) for sample in found] == [_label(sample) for sample in expected]


def test_images_are_turned_and_measured_as_files_are(tmp_path: Path) -> None:
    turned = PilImage.Exif()
    turned[0x0112] = 6
    for name, more in (("a.jpg", {"exif": turned}), ("b.png", {}), ("c.tif", {}), ("d.bmp", {})):
        PilImage.fromarray(page(3, 70, 40)).save(tmp_path / name, **more)
    (tmp_path / "rec.txt").write_text("".join(f"{name}\tA\n" for name in ("a.jpg", "b.png", "c.tif", "d.bmp")))
    pack(tmp_path / "rec.txt", tmp_path, tmp_path / "tars", shard_size=10**6)
    for sample, path in zip(read_samples(tmp_path / "tars", "rec"), ("a.jpg", "b.png", "c.tif", "d.bmp"), strict=True):
        assert np.array_equal(read_image(sample.image_path, ""), read_image(tmp_path / path, ""))
        assert (
            image_size(sample.image_path, "")
            == image_size(tmp_path / path, "")
            == ((40, 70) if path == "a.jpg" else (70, 40))
        )
        assert find_damage(sample.image_path) == ""


def test_a_damaged_image_is_named(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "whole.jpg"), page(1))
    content = (tmp_path / "whole.jpg").read_bytes()
    write_tar(
        tmp_path / "t" / "a.tar",
        {"x.jpg": content[: len(content) // 2], "x.json": b"[]", "y.jpg": b"none", "y.json": b"[]"},
    )
    write_index(tmp_path / "t")
    report = check_detection(LabelSet.of([read_samples(tmp_path / "t", "det")]))
    damaged, no_image = map(str, report.problems)
    assert damaged.startswith(f"{tmp_path}/t/a.tar:x: {tmp_path}/t/a.tar/x.jpg is damaged (")
    assert f"{tmp_path}/t/a.tar/y.jpg is not a readable image" in no_image
    assert "object at" not in no_image


def test_shards_of_others(tmp_path: Path) -> None:
    """What tar and webdataset make: folders, long and foreign names, further members, a line end in the text."""
    long, foreign = "./set/" + "x" * 120, "./set/ü"
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        folder = tmp_path / str(form)
        members = {"./set/._1.jpg": b"apple"}
        for key, content in ((long, b"first"), (foreign, b"second"), ("./set/3", b"third")):
            members |= {f"{key}.jpg": content, f"{key}.cls": b"7", f"{key}.txt": content.upper() + b"\r\n"}
        path = write_tar(folder / "train-000.tar", members, form)
        with tarfile.open(path, "a") as tar:
            directory = tarfile.TarInfo("./set/more")
            directory.type = tarfile.DIRTYPE
            tar.addfile(directory)
        assert write_index(folder) == 3
        samples = read_samples(folder, "rec")
        assert [sample.text for sample in samples] == ["FIRST", "SECOND", "THIRD"]
        assert [sample.image_path.read_bytes() for sample in samples] == [b"first", b"second", b"third"]


def _three(tmp_path: Path) -> Path:
    """Three keys of 700 bytes in one shard, indexed."""
    members = {}
    for key in "abc":
        members |= {f"{key}.jpg": key.encode() * 700, f"{key}.txt": key.encode()}
    shard = write_tar(tmp_path / "set" / "000000.tar", members)
    write_index(shard.parent)
    return shard


def _bad(tmp_path: Path, members: dict[str, bytes]) -> None:
    write_tar(tmp_path / "set" / "000000.tar", members)


def _link(tmp_path: Path, kind: bytes) -> None:
    with tarfile.open(_three(tmp_path), "a") as tar:
        member = tarfile.TarInfo("d.jpg")
        member.type, member.linkname = kind, "/etc/passwd"
        tar.addfile(member)


def _cut(tmp_path: Path, size: int) -> None:
    os.truncate(_three(tmp_path), size)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda t: _cut(t, 700), r"000000.tar/a.jpg: the shard is cut off: it ends 512 bytes before this member does"),
        (
            lambda t: _cut(t, 512 * 3),
            r"000000.tar/a.jpg: (the shard is cut off after this member|not a tar from here on)",
        ),
        (
            lambda t: _cut(t, 512 * 5 + 100),
            r"000000.tar/a.txt: (the shard is cut off after this|not a tar from here on)",
        ),
        (lambda t: _cut(t, 0), "000000.tar: not a tar"),
        (lambda t: _three(t).write_bytes(b"no tar" * 500), "000000.tar: not a tar"),
        (lambda t: _link(t, tarfile.SYMTYPE), "000000.tar/d.jpg: a link or device"),
        (lambda t: _link(t, tarfile.LNKTYPE), "000000.tar/d.jpg: a link or device"),
        (lambda t: _bad(t, {"a.jpg": b"x"}), r"000000.tar/a: an image without a label, a.txt .recognition. or a.json"),
        (lambda t: _bad(t, {"a.txt": b"x"}), "000000.tar/a: a label without an image"),
        (lambda t: _bad(t, {"a.jpg": b"x", "a.txt": b"\xff"}), "000000.tar/a.txt: the label is not UTF-8"),
        (lambda t: _bad(t, {"a.jpg": b"", "b.jpg": b"", "a.txt": b"x"}), "000000.tar/a: the key occurs twice"),
    ],
)
def test_spoilt_shards_are_refused_by_name(tmp_path: Path, spoil: Callable[[Path], None], said: str) -> None:
    spoil(tmp_path)
    index = tmp_path / "set" / INDEX
    index.unlink(missing_ok=True)
    with pytest.raises(DataError, match=said):
        write_index(tmp_path / "set")
    assert not index.exists()


def test_an_index_that_is_not_of_these_shards(tmp_path: Path) -> None:
    shard = _three(tmp_path)
    original, fix = shard.read_bytes(), f"if the shards are as they should be: ocrtune pack --index {shard.parent}"

    def refused() -> str:
        with pytest.raises(DataError) as caught:
            read_index(shard.parent)
        [problem] = caught.value.problems
        assert str(problem).endswith(fix)
        return str(problem)

    shard.write_bytes(original)  # another time stamp alone, as after copying
    assert [record.labels["txt"] for record in read_index(shard.parent)] == ["a", "b", "c"]
    shard.write_bytes(original.replace(b"\0b\0", b"\0B\0", 1))  # the label of b: same size, same places
    assert "000000.tar: the shard has changed since index.jsonl was made" in refused()
    shard.write_bytes(original + bytes(10240))
    assert "000000.tar: the shard has changed since index.jsonl was made" in refused()
    shard.write_bytes(original)
    extra = shutil.copy(shard, shard.with_name("000001.tar"))
    assert "000001.tar: it is not in index.jsonl" in refused()
    shard.unlink()
    Path(extra).rename(shard.with_name("x"))
    assert "000000.tar: the shard is missing, but it is in index.jsonl" in refused()
    shard.write_bytes(original)
    index = shard.parent / INDEX
    index.write_text(index.read_text().replace('"shard": "000000.tar"', '"shard": "../secret.tar"'))
    assert "index.jsonl: it names shards that it does not list" in refused()
    index.write_text("{}\n")
    assert "index.jsonl: not an index of shards" in refused()
    index.unlink()
    assert "index.jsonl: the shards have no index" in refused()


def test_reading_checks_the_place(tmp_path: Path) -> None:
    """What the run's start could not see: the shard changes while it trains."""
    shard = _three(tmp_path)
    _, second, third = (sample.image_path for sample in read_samples(shard.parent, "rec"))
    assert second.read_bytes() == b"b" * 700
    original = shard.read_bytes()
    shard.write_bytes(original[:6000])
    for read in (third.read_bytes, lambda: third.open("rb"), lambda: image_size(third, "here")):
        with pytest.raises(DataError, match=r"000000.tar/c.jpg: .*the shard was cut off or changed; if the shards are"):
            read()
    shard.write_bytes(original.replace(b"b.jpg", b"z.jpg").replace(b"b" * 700, b"z" * 700))
    with pytest.raises(DataError, match=r"000000.tar/b.jpg: no tar header before its bytes"):  # its checksum is wrong
        second.read_bytes()
    write_tar(shard, {"q.jpg": b"q" * 700, "q.txt": b"q", "z.jpg": b"b" * 700, "z.txt": b"z"})
    with pytest.raises(DataError, match=r"000000.tar/b.jpg: at its place the shard has z.jpg of 700 bytes"):
        second.read_bytes()
    shard.unlink()
    with pytest.raises(DataError, match=r"000000.tar/b.jpg: cannot read the shard \(No such file"):
        second.read_bytes()


def test_labels_of_the_other_task(det_set: Path, tmp_path: Path) -> None:
    pack(det_set, tmp_path, tmp_path / "tars", shard_size=10**9)
    with pytest.raises(DataError, match=r"000000.tar:000000001: it has no 000000001.txt, the label of recognition"):
        read_samples(tmp_path / "tars", "rec")


def test_sets_below_one_folder_and_their_mix(rec_set: Path, tmp_path: Path) -> None:
    lines = rec_set.read_text().splitlines(keepends=True)
    for name, part in (("vertical", lines[:4]), ("general", lines[4:])):
        (tmp_path / f"{name}.txt").write_text("".join(part))
        pack(tmp_path / f"{name}.txt", tmp_path, tmp_path / "sets" / name, shard_size=40_000)
    options = DatasetOptions("TarDataSet", tmp_path / "sets", mix={"vertical": 1, "general": 2})
    labels = read_label_set(options, "rec")
    assert labels.names == ("general", "vertical")
    assert labels.epoch_counts() == [(20, 20), (10, 4)]
    (tmp_path / "sets" / "general" / INDEX).unlink()
    with pytest.raises(DataError, match=r"general/index.jsonl: the shards have no index"):  # it is not passed over
        read_label_set(options, "rec")
    with pytest.raises(ConfigError, match=r"no \*.tar in .*empty or below it. 'ocrtune pack' writes a TarDataSet"):
        read_label_set(DatasetOptions("TarDataSet", tmp_path / "empty"), "rec")


@pytest.mark.parametrize(
    ("label", "task"),
    [("text", "rec"), ("[1]", "rec"), ("[]", "det"), ('[{"points": [], "transcription": ""}]', "det"), ("[", "rec")],
)
def test_the_task_is_seen_from_the_first_label(write: Callable[[str, bytes], Path], label: str, task: str) -> None:
    assert guess_task(write("some.txt", f"a.jpg\t{label}\n".encode())) == task


def test_the_command(rec_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["pack", str(rec_set), "--data_dir", str(tmp_path), "--output", str(tmp_path / "tars")]
    assert main([*command, "--shard-size", "0.3MB"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("24 samples (recognition) in 2 shards\n")
    assert f"-o Train.dataset.name=TarDataSet -o Train.dataset.data_dir={tmp_path}/tars" in said
    assert main(command) == 1
    assert "tars: holds shards already" in capsys.readouterr().err
    (tmp_path / "tars" / INDEX).unlink()
    assert main(["pack", "--index", str(tmp_path / "tars")]) == 0
    assert capsys.readouterr().out == f"wrote {tmp_path}/tars/{INDEX}: 24 samples\n"
    assert len(read_samples(tmp_path / "tars", "rec")) == 24


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--data_dir", "."], 2, "expected LABELS, --data_dir and --output, or --index"),
        (["x.txt", "--shard-size", "many"], 2, "got 'many', expected a size such as 256MB"),
        (["x.txt", "--shard-size", "5iB"], 2, "got '5iB', expected a size"),
        (["nowhere.txt", "--data_dir", ".", "--output", "OUT"], 1, "nowhere.txt: cannot read the label file"),
        (["--index", "OUT"], 1, "no shard (*.tar) in this folder"),
    ],
)
def test_the_command_refuses(
    arguments: list[str], code: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pack", *(str(tmp_path / "out") if value == "OUT" else value for value in arguments)]) == code
    assert said in capsys.readouterr().err


def test_an_image_of_no_known_extension(rec_set: Path, tmp_path: Path) -> None:
    (tmp_path / "crop3.png").rename(tmp_path / "crop3")
    rec_set.write_text(rec_set.read_text().replace("crop3.png", "crop3"))
    with pytest.raises(DataError, match=r"rec.txt:4: .*crop3 has no extension of an image. known: bmp, jpeg"):
        pack(rec_set, tmp_path, tmp_path / "tars", shard_size=10**6)
    assert not [*(tmp_path / "tars").glob("*")]
