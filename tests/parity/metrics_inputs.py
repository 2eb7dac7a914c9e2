"""Inputs of the metric parity tests, made alike by the golden generator and the tests."""

import json
import random
from pathlib import Path

import numpy as np

WORDS = ("PP-OCR", "a b", "", "2P24", "wire marker", "中文 text", "naïve", "0.75 kWh", "  x ")


def random_page(seed: int) -> tuple[np.ndarray, list[bool], np.ndarray]:
    """Labels (L, 4, 2), ignore flags, boxes (B, 4, 2), pixels; many boxes lie near a label, a few cross themselves."""
    rng = np.random.default_rng(seed)
    labels = rectangles(rng, int(rng.integers(0, 9)))
    near = labels[rng.uniform(size=len(labels)) < 0.8]
    boxes = np.concatenate([near + rng.normal(0, 3, near.shape), near[:2] + 4, rectangles(rng, 3)])
    boxes[rng.uniform(size=len(boxes)) < 0.1] = [[0, 0], [30, 30], [30, 0], [0, 30]]
    return labels, (rng.uniform(size=len(labels)) < 0.3).tolist(), np.round(boxes)


def rectangles(rng: np.random.Generator, count: int) -> np.ndarray:
    """(count, 4, 2) whole-number rectangles inside 200 x 200 pixels."""
    corner = rng.integers(0, 140, (count, 1, 2))
    side = rng.integers(8, 60, (count, 1, 2))
    return (corner + side * np.array([[0, 0], [1, 0], [1, 1], [0, 1]])).astype(np.float64)


def real_pages(label_file: Path, count: int) -> list[tuple[np.ndarray, list[bool], np.ndarray]]:
    """As random_page, for the first lines of a real label file; the boxes are its labels, moved and cut."""
    pages = []
    for number, line in enumerate(label_file.read_text(encoding="utf-8").split("\n")[:count]):
        found = json.loads(line.split("\t")[1])
        labels = np.array([item["points"] for item in found], np.float64)
        rng = np.random.default_rng(number)
        boxes = labels[rng.uniform(size=len(labels)) < 0.9]
        extent = boxes.max(axis=1, keepdims=True) - boxes.min(axis=1, keepdims=True)
        boxes = np.round(boxes + extent * rng.uniform(-0.25, 0.25, (len(boxes), 1, 2)))
        pages.append((labels, [item["transcription"] in ("###", "*") for item in found], boxes))
    return pages


def random_texts(seed: int, labels: list[str]) -> list[str]:
    """Each label with a few characters dropped, doubled, or replaced by a space."""
    rng = random.Random(seed)
    texts = []
    for label in labels:
        edits = [rng.random() for _ in label]
        pairs = zip(label, edits)
        texts.append("".join("" if e < 0.03 else 2 * c if e < 0.06 else " " if e < 0.09 else c for c, e in pairs))
    return texts


def real_labels(label_file: Path) -> list[str]:
    """The texts of a recognition label file."""
    lines = label_file.read_text(encoding="utf-8").split("\n")
    return [line.split("\t")[1] for line in lines if line]
