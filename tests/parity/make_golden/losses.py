"""Loss values and input gradients of real PaddleOCR: ``python losses.py PADDLEOCR_79F652F5 LOSSES_3_7``.

The second argument is a folder with ``det_basic_loss.py`` and ``det_db_loss.py`` of PaddleOCR 3.7 and an empty
``__init__.py``; it has DiceFocalLoss and the auxiliary heads. Writes tests/parity/golden/losses.npz (needs paddlepaddle
3.3.1 and numpy < 2.4).
"""

import importlib
import sys
from pathlib import Path

import numpy as np
import paddle

sys.path.insert(0, str(Path(__file__).parent.parent))
from loss_inputs import ctc_case, det_case, nrtr_case, summary

OUTPUT = Path(__file__).parent.parent / "golden" / "losses.npz"
TARGETS = ("threshold_map", "threshold_mask", "shrink_map", "shrink_mask")
V6 = {
    "main_loss_type": "DiceFocalLoss",
    "focal_alpha": 0.25,
    "focal_gamma": 2.5,
    "aux_weight_p4": 0.2,
    "aux_weight_p3": 0.3,
    "aux_weight_p2": 0.4,
}


def tensor(array: np.ndarray, gradient: bool = False) -> paddle.Tensor:
    return paddle.to_tensor(array, stop_gradient=not gradient)


def det(loss_class: type, options: dict, name: str) -> dict[str, np.ndarray]:
    case = det_case(name)
    inputs = {key: tensor(case[key], True) for key in ("maps", "aux_p2", "aux_p3", "aux_p4")}
    predicts = {"maps": inputs["maps"], **{f"aux_maps_{key[4:]}": inputs[key] for key in inputs if key != "maps"}}
    found = loss_class(**options)(predicts, [None, *(tensor(case[key]) for key in TARGETS)])
    found["loss"].backward()
    keys = ("loss", "loss_shrink_maps", "loss_threshold_maps", "loss_binary_maps")
    result = {"values": np.array([float(found[key].sum()) for key in keys])}
    for key, value in inputs.items():
        if value.grad is not None:
            result[f"gradient_{key}"] = summary(value.grad.numpy())
    return result


def ctc(name: str, focal: bool) -> dict[str, np.ndarray]:
    from ppocr.losses.rec_ctc_loss import CTCLoss

    case = ctc_case(name)
    logits = tensor(case["logits"], True)
    loss = CTCLoss(use_focal_loss=focal)(logits, [None, tensor(case["labels"]), tensor(case["lengths"])])["loss"]
    loss.backward()
    return {"values": np.array([float(loss)]), "gradient_logits": summary(logits.grad.numpy())}


def nrtr(name: str, smoothing: bool) -> dict[str, np.ndarray]:
    from ppocr.losses.rec_nrtr_loss import NRTRLoss

    case = nrtr_case(name)
    logits = tensor(case["logits"], True)
    loss = NRTRLoss(smoothing=smoothing)(logits, [None, tensor(case["labels"]), tensor(case["lengths"])])["loss"]
    loss.backward()
    return {"values": np.array([float(loss)]), "gradient_logits": summary(logits.grad.numpy())}


def main() -> None:
    sys.path.insert(0, sys.argv[1])
    folder = Path(sys.argv[2]).resolve()
    sys.path.insert(0, str(folder.parent))
    from ppocr.losses.det_db_loss import DBLoss

    newer = importlib.import_module(f"{folder.name}.det_db_loss").DBLoss
    found = {}
    for name in ("random", "real", "blank", "mixed"):
        found[f"db_dice/{name}"] = det(DBLoss, {"alpha": 5, "beta": 10, "ohem_ratio": 3}, name)
        found[f"db_dice_focal/{name}"] = det(newer, V6, name)
    for name in ("random", "real", "infeasible"):
        found[f"ctc/{name}"] = ctc(name, False)
        found[f"ctc_focal/{name}"] = ctc(name, True)
    for name in ("random", "real"):
        found[f"nrtr/{name}"] = nrtr(name, True)
        found[f"nrtr_plain/{name}"] = nrtr(name, False)
    flat = {f"{case}/{key}": value for case, numbers in found.items() for key, value in numbers.items()}
    np.savez_compressed(OUTPUT, **flat)


if __name__ == "__main__":
    main()
