"""A checkpoint that PaddleOCR's distillation writes: ``python save_distillation.py FOLDER PADDLEOCR --shared DATA``.

``ch_PP-OCRv2_rec_distillation.yml``, built by PaddleOCR; its Student reads ``FOLDER/released.pdparams``, the Teacher
stays as it was drawn. PaddleOCR's own ``save_model`` writes it, and its own transforms, post-processing and metric
evaluate the Student on real lines. ``extract_distillation.py`` beside this file goes on. Needs paddlepaddle 3.3.1.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

import numpy as np
import yaml

CONFIG = "configs/rec/ch_PP-OCRv2/ch_PP-OCRv2_rec_distillation.yml"
DICTIONARY = "ppocr/utils/ppocr_keys_v1.txt"
SETS = {"wire_markers": 100, "icdar2015": 100}  # lines of each
CLASSES = 6625


def lines(shared: Path) -> list[tuple[Path, str]]:
    """(crop, text), spread over the test splits."""
    found = []
    for name, count in SETS.items():
        rows = (shared / name / "rec_test.txt").read_text(encoding="utf-8").splitlines()
        for row in rows[:: len(rows) // count][:count]:
            path, _, text = row.partition("\t")
            found.append((shared / name / path, text))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("paddleocr", type=Path, help="checkout at 79f652f5")
    parser.add_argument("--shared", type=Path, required=True, help="folder with icdar2015 and wire_markers")
    arguments = parser.parse_args()
    folder, checkout = arguments.folder, arguments.paddleocr
    import paddle

    sys.path.insert(0, str(checkout))
    from ppocr.data.imaug import create_operators, transform
    from ppocr.metrics.rec_metric import RecMetric
    from ppocr.modeling.architectures import build_model
    from ppocr.postprocess.rec_postprocess import CTCLabelDecode
    from ppocr.utils.save_load import load_pretrained_params, save_model

    paddle.set_device("cpu")
    paddle.seed(0)
    config = yaml.safe_load((checkout / CONFIG).read_text(encoding="utf-8"))
    for network in config["Architecture"]["Models"].values():
        network["Head"]["out_channels"] = CLASSES
    model = build_model(config["Architecture"])
    load_pretrained_params(model.Student, str(folder / "released.pdparams"))
    optimizer = paddle.optimizer.Adam(1e-3, parameters=model.parameters())
    save_model(model, optimizer, str(folder), logging.getLogger(), config, prefix="distilled")

    steps = config["Eval"]["dataset"]["transforms"]
    config["Global"]["character_dict_path"] = str(checkout / DICTIONARY)
    resize = create_operators([step for step in steps if "LabelEncode" not in next(iter(step))], config["Global"])[:-1]
    images, labels = [], []
    for path, text in lines(arguments.shared):
        images.append(transform({"image": path.read_bytes()}, resize)["image"])
        labels.append(text)
    array = np.stack(images).astype(np.float32)
    decode, metric = CTCLabelDecode(config["Global"]["character_dict_path"], use_space_char=True), RecMetric()
    model.Student.eval()
    with paddle.no_grad():
        found = [model.Student(paddle.to_tensor(array[i : i + 20])) for i in range(0, len(array), 20)]
    output = np.concatenate([(value["head_out"] if isinstance(value, dict) else value).numpy() for value in found])
    results = decode(output)
    accuracy = metric((results, [(label, 1.0) for label in labels]))["acc"]
    texts = [text for text, _ in results]
    np.savez_compressed(
        folder / "distilled.npz", images=array, output=output, texts=texts, labels=labels, accuracy=accuracy
    )
    print(f"{len(labels)} lines, accuracy of the Student in PaddleOCR {accuracy:.4f}")


if __name__ == "__main__":
    main()
