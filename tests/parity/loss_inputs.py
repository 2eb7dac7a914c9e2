"""Inputs of the loss parity tests, regenerated from a seed on both sides: numpy only."""

import numpy as np

REAL_BOXES = (  # ICDAR 2015, test image 61: corners in pixels; the crop starts at (200, 90) and is scaled by 0.35
    ((310, 104), (416, 141), (418, 216), (312, 179)),
    ((223, 293), (313, 288), (313, 311), (222, 316)),
)
SIZE = 96


def det_case(name: str) -> dict[str, np.ndarray]:
    """maps (N, 3, S, S), aux_p2/p3/p4 alike, and the four targets (N, S, S), float32.

    random: noise everywhere. real: boxes of a photo and a prediction near the truth. blank: no text at all.
    mixed: one page of each of the last two kinds, with an ignored region.
    """
    rng = np.random.default_rng(abs(hash_of(name)))
    if name == "random":
        targets = {
            "shrink_map": (rng.random((2, SIZE, SIZE)) < 0.2),
            "shrink_mask": (rng.random((2, SIZE, SIZE)) < 0.9),
            "threshold_map": rng.uniform(0.3, 0.7, (2, SIZE, SIZE)),
            "threshold_mask": (rng.random((2, SIZE, SIZE)) < 0.3),
        }
        maps = {key: rng.uniform(0.02, 0.98, (2, 3, SIZE, SIZE)) for key in ("maps", "aux_p2", "aux_p3", "aux_p4")}
    else:
        pages = {"real": [True], "blank": [False], "mixed": [True, False]}[name]
        drawn = [_page(boxes) for boxes in pages]
        targets = {key: np.stack([page[key] for page in drawn]) for key in drawn[0]}
        if name == "mixed":
            targets["shrink_mask"][0, 20:40, 5:55] = 0
        truth = np.stack([targets["shrink_map"], targets["threshold_map"], targets["shrink_map"]], axis=1)
        noise = {key: rng.normal(0, 1.2, truth.shape) for key in ("maps", "aux_p2", "aux_p3", "aux_p4")}
        maps = {key: 1 / (1 + np.exp(-(truth * 6 - 3 + extra))) for key, extra in noise.items()}
    return {key: np.asarray(value, np.float32) for key, value in {**targets, **maps}.items()}


def _page(with_text: bool) -> dict[str, np.ndarray]:
    """Targets of one page, drawn in axis-aligned strokes (parity is the loss's concern here, not the maps')."""
    shrink, mask = np.zeros((SIZE, SIZE)), np.ones((SIZE, SIZE))
    threshold, threshold_mask = np.full((SIZE, SIZE), 0.3), np.zeros((SIZE, SIZE))
    for polygon in REAL_BOXES if with_text else ():
        box = ((np.array(polygon) - (200, 90)) * 0.35).astype(int)
        (left, top), (right, bottom) = np.min(box, axis=0), np.max(box, axis=0)
        shrink[top + 3 : bottom - 2, left + 3 : right - 2] = 1
        threshold_mask[max(top - 2, 0) : bottom + 3, max(left - 2, 0) : right + 3] = 1
        rows = np.arange(max(top - 2, 0), min(bottom + 3, SIZE))
        threshold[rows, left:right] = (0.7 - 0.08 * np.minimum(abs(rows - top), abs(rows - bottom)))[:, None]
    return {"shrink_map": shrink, "shrink_mask": mask, "threshold_map": threshold, "threshold_mask": threshold_mask}


REAL_TEXTS = ("Genaxis Theatre", "[06]", "62-03", "Carpark", "L1-1002/3:A", "aa", "EXIT")
CLASSES = 97


def ctc_case(name: str) -> dict[str, np.ndarray]:
    """logits (N, T, C) float32, labels (N, L) padded with 0, lengths (N,).

    random: noise logits and labels. real: real texts, logits that mostly spell them. infeasible: row 0 does not fit T.
    """
    rng = np.random.default_rng(abs(hash_of(name)))
    if name == "real":
        texts = [[ord(c) - 31 for c in text] for text in REAL_TEXTS]
        steps = 40
    else:
        steps = 20 if name == "random" else 6
        texts = [list(rng.integers(1, CLASSES, n)) for n in (4, 1, 7, 10)]
        texts = texts if name == "random" else [[5, 5, 5, 5], [7, 8], [9]]
    labels = np.zeros((len(texts), max(map(len, texts))), np.int64)
    logits = rng.normal(0, 1, (len(texts), steps, CLASSES)).astype(np.float32)
    for row, text in enumerate(texts):
        labels[row, : len(text)] = text
        if name == "real":
            logits[row, :, 0] += 4
            at = np.linspace(1, steps - 2, len(text)).round().astype(int)
            logits[row, at, text] += rng.uniform(2, 9, len(text)).astype(np.float32)
    return {"logits": logits, "labels": labels, "lengths": np.array([len(text) for text in texts])}


def nrtr_case(name: str) -> dict[str, np.ndarray]:
    """logits (N, longest + 1, C) float32, labels (N, 27): start 2, text, end 3, padding 0; lengths (N,)."""
    rng = np.random.default_rng(abs(hash_of(name)) + 1)
    texts = REAL_TEXTS if name == "real" else ("x" * 9, "yz", "w" * 25)
    lengths = np.array([len(text) for text in texts])
    labels = np.zeros((len(texts), 27), np.int64)
    for row, text in enumerate(texts):
        labels[row, : len(text) + 2] = [2, *(ord(c) - 28 for c in text), 3]
    logits = rng.normal(0, 2, (len(texts), int(lengths.max()) + 1, CLASSES + 3)).astype(np.float32)
    if name == "real":
        for row, text in enumerate(texts):
            logits[row, np.arange(len(text) + 1), labels[row, 1 : len(text) + 2]] += 5
    return {"logits": logits, "labels": labels, "lengths": lengths}


def hash_of(name: str) -> int:
    """A seed from a name, the same in every process."""
    return sum((i + 1) * ord(c) for i, c in enumerate(name))


def summary(gradient: np.ndarray) -> np.ndarray:
    """Numbers that pin a gradient: its sum, the sum of magnitudes, and 62 entries spread over it."""
    flat = np.asarray(gradient, np.float64).ravel()
    picked = flat[np.linspace(0, flat.size - 1, 62).round().astype(int)]
    return np.concatenate([[flat.sum(), np.abs(flat).sum()], picked])
