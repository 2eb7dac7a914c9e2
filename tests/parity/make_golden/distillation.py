"""Values and gradients of PaddleOCR's CombinedLoss with the distillation losses: ``python distillation.py PADDLEOCR``.

Writes tests/parity/golden/distillation.npz (needs paddlepaddle 3.3.1). Where PaddleOCR's loss is one value per image
(see ``losses/divergence.py``), the mean is stored, and the gradient of the sum that Paddle takes, divided by the number
of images.
"""

import json
import sys
from pathlib import Path

import numpy as np
import paddle

sys.path.insert(0, str(Path(__file__).parent.parent))
from distillation_inputs import (
    CASES,
    CLASSES,
    MODELS,
    gradient_numbers,
    image,
    labels,
    loss_config_list,
    outputs,
)
from loss_inputs import summary
from model_weights import alive, from_paddle, thinned
from zoo import to_float64

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


def whole(case: str) -> dict[str, np.ndarray]:
    """A DistillationModel in float64 with weights made from its names: eval outputs, train-mode loss, all gradients.

    The losses get float32, as ocrtune's do; some of PaddleOCR's take nothing else.

    The frozen teacher is put into eval mode, where ocrtune keeps it; PaddleOCR leaves it in train mode.
    """
    from ppocr.losses.combined_loss import CombinedLoss
    from ppocr.modeling.architectures.distillation_model import DistillationModel

    section = json.loads(json.dumps(MODELS[case]))  # PaddleOCR takes its parts out
    kind = CASES[case][0]
    frozen = [name for name, network in section["Models"].items() if network.get("freeze_params")]
    for network in section["Models"].values():
        if kind == "ctc":
            network["Head"]["out_channels"] = CLASSES
    model = DistillationModel(section)
    to_float64(model)
    for name, value in model.state_dict().items():
        value.set_value(alive(from_paddle(name), tuple(value.shape)).astype(np.float64))
    pixels = paddle.to_tensor(image(section["model_type"]).astype(np.float64))
    model.eval()
    result = {}
    for name, found in model(pixels).items():
        result[f"eval/{name}"] = thinned((found["head_out"] if kind == "ctc" else found["maps"]).numpy()).astype("f4")
    model.train()
    for name in frozen:
        getattr(model, name).eval()
    targets = labels(kind)
    batch = [None, *(paddle.to_tensor(targets[key]) for key in BATCHES[kind])]
    predicts = {
        name: {key: value.astype("float32") for key, value in found.items()} for name, found in model(pixels).items()
    }
    loss = CombinedLoss(loss_config_list(case))(predicts, batch)["loss"]
    loss.backward()
    values = loss.numpy().reshape(-1)
    result["loss"] = np.array([values.mean()])
    names = [name for name, value in model.named_parameters() if not value.stop_gradient]
    gradients = dict(model.named_parameters())
    result["names"] = np.array([from_paddle(name) for name in names])
    result["gradients"] = np.stack([gradient_numbers(gradients[n].grad.numpy() / values.size) for n in names])
    return result


def main() -> None:
    sys.path.insert(0, sys.argv[1])
    found = {case: golden(case) for case in CASES}
    found |= {f"whole/{case}": whole(case) for case in MODELS}
    flat = {f"{case}/{key}": value for case, numbers in found.items() for key, value in numbers.items()}
    np.savez_compressed(OUTPUT, **flat)


if __name__ == "__main__":
    main()
