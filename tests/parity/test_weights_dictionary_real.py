"""From PP-OCRv2's 6625 classes to another dictionary: what the weights read, they read on.

500 characters removed, 50 added, the order shuffled. Real crops (OCRTUNE_SHARED); the removed characters are ones that
neither the labels nor the first reading of these crops contain, so that every line is one of kept characters.
"""

import random

import cv2
import pytest
import torch

from ocrtune.codec.ctc import CTCCodec
from ocrtune.codec.image import RecPreprocess
from ocrtune.core.charset import Charset
from ocrtune.weights import catalogue
from ocrtune.weights.load import load_weights
from ocrtune.weights.released import build_section

pytestmark = pytest.mark.parity
NAME, PER_SET = "PP-OCRv2_rec", 30


def crops(shared):
    """(image, text) spread over both labelled sets."""
    found = []
    for folder in ("wire_markers", "icdar2015"):
        label_file = shared / "data" / folder / "rec_test.txt"
        lines = label_file.read_text(encoding="utf-8").splitlines()
        for line in lines[:: max(1, len(lines) // PER_SET)][:PER_SET]:
            path, _, text = line.partition("\t")
            found.append((cv2.imread(str(label_file.parent / path)), text))
    return found


def readings(charset, images, **mismatch):
    """The texts that the weights read with the dictionary ``charset``."""
    entry = catalogue.find(NAME)
    model = build_section(entry.architecture, charset)
    load_weights(model, NAME, charset=charset, **mismatch)
    preprocess, codec = RecPreprocess.from_dict(entry.preprocess), CTCCodec(charset)
    model.eval()
    texts = []
    with torch.no_grad():
        for image in images:
            logits = model(torch.from_numpy(preprocess(image)[None]))["ctc"].numpy()
            texts.append(codec.decode_logits(logits)[0].text)
    return texts


def test_reading_is_unchanged_to_the_digit(shared):
    entry = catalogue.find(NAME)
    if not entry.is_installed():
        pytest.skip(f"needs: {entry.wheel.install}")
    old = catalogue.charset_of(entry)
    images, labels = zip(*crops(shared))
    before = readings(old, images)
    needed = set("".join(before)) | set("".join(labels))
    shuffle = random.Random(5)
    removed = set(shuffle.sample([c for c in old.lines if c not in needed], 500))
    added = [chr(0x1F600 + i) for i in range(50)]
    lines = [c for c in (*old.lines, *added) if c not in removed]
    shuffle.shuffle(lines)
    new = Charset.from_lines(lines, old.use_space_char, "shuffled")
    assert new.num_classes == 6625 - 500 + 50
    after = readings(new, images, on_mismatch="exact")
    assert after == before
    correct = [sum(a == b for a, b in zip(texts, labels)) for texts in (before, after)]
    assert correct[0] == correct[1] > len(labels) / 4, "nothing is read: the comparison would be empty"
    assert readings(old.union(new), images, on_mismatch="union") == before
