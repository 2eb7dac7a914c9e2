"""SAR, ACE and centre losses and labels of real PaddleOCR: ``python sar_ace_center.py PADDLEOCR_79F652F5``.

Writes tests/parity/golden/sar_ace_center.npz (needs paddlepaddle 3.3.1 and numpy < 2.4).
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import paddle

sys.path.insert(0, str(Path(__file__).parent.parent))
import import_paddleocr
from loss_inputs import summary
from sar_ace_center_inputs import CHARACTERS, MAX_TEXT_LENGTH, TEXTS, features_case, sar_case

OUTPUT = Path(__file__).parent.parent / "golden" / "sar_ace_center.npz"


def tensor(array: np.ndarray, gradient: bool = False) -> paddle.Tensor:
    return paddle.to_tensor(array, stop_gradient=not gradient)


def labels() -> dict[str, np.ndarray]:
    """Of both encoders, and the counts for ACE."""
    from ppocr.data.imaug.label_ops import CTCLabelEncode, SARLabelEncode

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "dictionary.txt"
        path.write_text("\n".join(CHARACTERS) + "\n", encoding="utf-8")
        settings = {"character_dict_path": str(path), "use_space_char": True}
        sar = [SARLabelEncode(MAX_TEXT_LENGTH, **settings)({"label": text}) for text in TEXTS]
        ctc = [CTCLabelEncode(MAX_TEXT_LENGTH, **settings)({"label": text}) for text in TEXTS]
        padding = SARLabelEncode(MAX_TEXT_LENGTH, **settings).padding_idx
    return {
        "sar_labels": np.stack([row["label"] for row in sar]),
        "ctc_labels": np.stack([row["label"] for row in ctc]),
        "lengths": np.stack([row["length"] for row in ctc]),
        "ace_counts": np.stack([row["label_ace"] for row in ctc]),
        "sar_padding": np.array(padding),
    }


def sar(name: str, encoded: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    from ppocr.losses.rec_sar_loss import SARLoss

    logits = tensor(sar_case(name, encoded["sar_labels"]), True)
    loss = SARLoss(ignore_index=int(encoded["sar_padding"]))(logits, [None, tensor(encoded["sar_labels"])])["loss"]
    loss.backward()
    return {"value": loss.numpy(), "gradient": summary(logits.grad.numpy())}


def ace(name: str) -> dict[str, np.ndarray]:
    """PaddleOCR gives one number per sample; their mean is compared."""
    from ppocr.losses.ace_loss import ACELoss

    case = features_case(name)
    counts = np.zeros((len(case["labels"]), case["logits"].shape[2]), np.int64)
    for row, label in zip(counts, case["labels"]):
        np.add.at(row, label, 1)
    logits = tensor(case["logits"], True)
    batch = [None, tensor(case["labels"]), tensor(case["lengths"]), tensor(counts)]
    loss = ACELoss()(logits, batch)["loss_ace"].mean()
    loss.backward()
    return {"value": loss.numpy(), "gradient": summary(logits.grad.numpy())}


def center(name: str) -> dict[str, np.ndarray]:
    from ppocr.losses.center_loss import CenterLoss

    case = features_case(name)
    loss_module = CenterLoss(*case["centers"].shape)
    loss_module.centers = tensor(case["centers"].astype(np.float64))
    features = tensor(case["features"], True)
    loss = loss_module([features, tensor(case["logits"])], None)["loss_center"]
    loss.backward()
    return {"value": loss.numpy(), "gradient": summary(features.grad.numpy())}


def main() -> None:
    import_paddleocr.PACKAGES += ("ppocr.losses",)
    import_paddleocr.use_checkout(Path(sys.argv[1]))
    encoded = labels()
    found = {f"sar/{name}": sar(name, encoded) for name in ("random", "near")}
    for name in ("random", "real"):
        found[f"ace/{name}"] = ace(name)
        found[f"center/{name}"] = center(name)
    flat = {f"{case}/{key}": value for case, numbers in found.items() for key, value in numbers.items()}
    np.savez_compressed(OUTPUT, **flat, **encoded)


if __name__ == "__main__":
    main()
