"""Values and gradients of PaddleOCR's CombinedLoss with the distillation losses: ``python distillation.py PADDLEOCR``.

Writes tests/parity/golden/distillation.npz (needs paddlepaddle 3.3.1). Where PaddleOCR's loss is one value per image
(see ``losses/divergence.py``), the mean is stored, and the gradient of the sum that Paddle takes, divided by the number
of images.
"""

import sys
from pathlib import Path

import numpy as np
import paddle

sys.path.insert(0, str(Path(__file__).parent.parent))
from distillation_inputs import CASES, labels, loss_config_list, outputs
from loss_inputs import summary

OUTPUT = Path(__file__).parent.parent / "golden" / "distillation.npz"
BATCHES = {  # the order of KeepKeys in the configs; None: not read by the losses
    "det": ("threshold_map", "threshold_mask", "shrink_map", "shrink_mask"),
    "ctc": ("ctc", "length"),
    "gtc": ("ctc", "nrtr", "length", None),
    "sar": ("ctc", "sar", "length", None),
}


def nested(kind: str, leaves: dict[str, dict[str, paddle.Tensor]]) -> dict:
    """The tensors as PaddleOCR's DistillationModel gives them."""
    if kind in ("det", "blank"):
        return leaves
    predicts = {}
    for network, parts in leaves.items():
        heads = {key: value for key, value in parts.items() if key != "backbone_out"}
        predicts[network] = {
            "backbone_out": parts["backbone_out"],
            "head_out": heads["ctc"] if kind == "ctc" else heads,
        }
    return predicts


def golden(case: str) -> dict[str, np.ndarray]:
    from ppocr.losses.combined_loss import CombinedLoss

    kind = CASES[case][0]
    leaves = {
        network: {key: paddle.to_tensor(value, stop_gradient=False) for key, value in parts.items()}
        for network, parts in outputs(kind).items()
    }
    targets = labels(kind)
    order = BATCHES["det" if kind == "blank" else kind]
    batch = [None, *(None if key is None else paddle.to_tensor(targets[key]) for key in order)]
    before = {(n, k): value.numpy().copy() for n, parts in leaves.items() for k, value in parts.items()}
    loss = CombinedLoss(loss_config_list(case))(nested(kind, leaves), batch)["loss"]
    loss.backward()
    for (network, key), value in before.items():
        assert (leaves[network][key].numpy() == value).all(), "a loss changed its input in place"
    values = loss.numpy().reshape(-1)
    result = {"values": np.array([values.mean(), values.size])}
    for network, parts in leaves.items():
        for key, value in parts.items():
            if value.grad is not None:
                result[f"gradient/{network}/{key}"] = summary(value.grad.numpy() / values.size)
    return result


def main() -> None:
    sys.path.insert(0, sys.argv[1])
    found = {case: golden(case) for case in CASES}
    flat = {f"{case}/{key}": value for case, numbers in found.items() for key, value in numbers.items()}
    np.savez_compressed(OUTPUT, **flat)


if __name__ == "__main__":
    main()
