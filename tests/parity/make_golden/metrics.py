"""Metric values of real PaddleOCR (79f652f5).

    python metrics.py --paddleocr CHECKOUT --shared DATA --out tests/parity/golden

Needs shapely and rapidfuzz, no paddle. DATA holds icdar2015 and wire_markers. Writes metrics.json.
"""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent))
import metrics_inputs as inputs
from import_paddleocr import use_checkout


def detection(pages: list) -> dict:
    from ppocr.metrics.eval_det_iou import DetectionIoUEvaluator

    evaluator = DetectionIoUEvaluator()
    results = []
    for labels, ignore, boxes in pages:
        truth = [{"points": polygon, "text": "", "ignore": flag} for polygon, flag in zip(labels, ignore)]
        results.append(evaluator.evaluate_image(truth, [{"points": box, "text": ""} for box in boxes]))
    counts = [[row["gtCare"], row["detCare"], row["detMatched"]] for row in results]
    return {"counts": counts, **evaluator.combine_results(results)}


def recognition(labels: list[str], seed: int) -> dict:
    from ppocr.metrics.rec_metric import RecMetric

    found = {}
    for ignore_space in (True, False):
        metric = RecMetric(ignore_space=ignore_space)
        texts = inputs.random_texts(seed, labels)
        metric(([(text, 1.0) for text in texts], [(label, 1.0) for label in labels]))
        found[f"ignore_space {ignore_space}"] = metric.get_metric()
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("paddleocr", "shared", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    arguments = parser.parse_args()
    use_checkout(arguments.paddleocr)
    shared = arguments.shared
    golden = {
        "det random": detection([inputs.random_page(seed) for seed in range(40)]),
        "det icdar2015": detection(inputs.real_pages(shared / "icdar2015" / "test.txt", 30)),
        "rec random": recognition(list(inputs.WORDS) * 5, 1),
        "rec icdar2015": recognition(inputs.real_labels(shared / "icdar2015" / "rec_test.txt"), 2),
        "rec wire_markers": recognition(inputs.real_labels(shared / "wire_markers" / "rec_test.txt"), 3),
    }
    (arguments.out / "metrics.json").write_text(json.dumps(golden) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
