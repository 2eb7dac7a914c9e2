"""Images that stay in memory: the same pixels, read once, shared by forked processes, within the room given."""

from __future__ import annotations

import multiprocessing
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest

from ocrtune.core.errors import DataError
from ocrtune.data import kept_images
from ocrtune.data.image_file import ImageSource, read_image
from ocrtune.data.kept_images import KeptImages, room_for

MIB = 2**20


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "page.jpg"
    noise = np.random.default_rng(0).integers(0, 256, (91, 133, 3), dtype=np.uint8)
    cv2.imwrite(str(path), cv2.GaussianBlur(noise, (9, 9), 3))
    return path


@pytest.mark.parametrize("reduction", [1, 2, 3, 9])
def test_what_is_kept_is_what_was_decoded(page: Path, reduction: int) -> None:
    plain, factor = ImageSource(page, "").read(reduction)
    assert factor == {1: 1, 2: 2, 3: 2, 9: 8}[reduction]
    kept = KeptImages([page], MIB)
    first = ImageSource(page, "", kept=kept).read(reduction)[0]
    page.unlink()
    later = ImageSource(page, "", kept=kept)
    assert later.size == (133, 91)
    again, again_factor = later.read(reduction)
    assert again_factor == factor
    np.testing.assert_array_equal(first, plain)
    np.testing.assert_array_equal(again, plain)
    assert not again.flags.writeable


def test_each_reduction_is_decoded_for_itself(page: Path) -> None:
    """What is read must not depend on what happens to be kept."""
    half = ImageSource(page, "").read(2)[0]
    kept = KeptImages([page], MIB)
    ImageSource(page, "", kept=kept).read(1)
    np.testing.assert_array_equal(ImageSource(page, "", kept=kept).read(2)[0], half)


def test_without_room_it_is_decoded_each_time(page: Path) -> None:
    kept = KeptImages([page], 133 * 91 * 3 - 1)
    whole = ImageSource(page, "", kept=kept).read(1)[0]
    np.testing.assert_array_equal(whole, read_image(page, ""))
    assert kept.find(page, 1) is None
    ImageSource(page, "", kept=kept).read(2)
    assert kept.find(page, 2) is not None
    page.unlink()
    with pytest.raises(DataError, match="cannot read"):
        ImageSource(page, "", kept=kept).read(1)


def test_other_images_and_other_ways_to_start_a_process(page: Path) -> None:
    kept = KeptImages([], MIB)
    ImageSource(page, "", kept=kept).read(1)
    assert kept.find(page, 1) is None
    sent = pickle.loads(pickle.dumps(KeptImages([page], MIB)))
    ImageSource(page, "", kept=sent).read(1)
    assert sent.find(page, 1) is None


def test_little_free_memory_ends_it(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = KeptImages([page], MIB)
    monkeypatch.setattr(kept_images, "free_memory", lambda: 2**29)
    ImageSource(page, "", kept=kept).read(1)
    assert kept.find(page, 1) is None
    monkeypatch.setattr(kept_images, "free_memory", lambda: None)  # nobody says
    ImageSource(page, "", kept=kept).read(1)
    assert kept.find(page, 1) is not None


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system has no fork")
def test_forked_processes_share(tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}.png" for i in range(20)]
    for i, path in enumerate(paths):
        cv2.imwrite(str(path), np.full((40 + i, 30, 3), i, np.uint8))
    kept = KeptImages(paths, 50_000)  # room for about half of them
    fork = multiprocessing.get_context("fork")
    workers = [fork.Process(target=_read_all, args=(paths, kept)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    found = [kept.find(path, 1) for path in paths]
    assert 9 <= sum(image is not None for image in found) <= 13
    for i, image in enumerate(found):
        assert image is None or (image.shape == (40 + i, 30, 3) and (image == i).all())


def _read_all(paths: list[Path], kept: KeptImages) -> None:
    for _ in range(5):
        for i, path in enumerate(paths):
            image = ImageSource(path, "", kept=kept).read(1)[0]
            assert image.shape == (40 + i, 30, 3)
            assert (image == i).all()


def test_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_images, "free_memory", lambda: 8 * 2**30)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    assert room_for("auto") == 2 * 2**30
    assert room_for(0.5) == 2**29
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert room_for("auto") == 2**29
    monkeypatch.setattr(kept_images, "free_memory", lambda: None)
    assert room_for("auto") == 0
