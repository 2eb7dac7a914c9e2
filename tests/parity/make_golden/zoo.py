"""Every architecture of PaddleOCR's configs, run by real PaddleOCR: ``python zoo.py PADDLEOCR_79F652F5 [--later 3.7]``.

Reads Architecture and Loss of the YAML files in the checkout's own configs folder; those of PP-OCRv6 in the later
checkout, which must be given for them. Networks that differ only in the dictionary are run once, those of a
distillation one by one with the plain loss of their kind. Runs in float64, dropout off, batch of two.

Writes tests/parity/golden/zoo/NAME.npz and zoo.json (which file holds which architectures, input shapes, spreads).
``--only TEXT ...`` keeps to the architectures whose names contain one of the texts. Needs paddlepaddle 3.3.1.
"""

from __future__ import annotations

import argparse
import copy
import json
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml

sys.path.insert(0, str(Path(__file__).parent.parent))
import zoo_inputs as inputs
from model_weights import alive, from_paddle

GOLDEN = Path(__file__).parent.parent / "golden" / "zoo"
INDEX = GOLDEN.parent / "zoo.json"
FOLDERS = (
    "det/ch_ppocr_v2.0",
    "det/ch_PP-OCRv2",
    "det/PP-OCRv*",
    "rec/ch_ppocr_v2.0",
    "rec/ch_PP-OCRv2",
    "rec/PP-OCRv*",
)
SINGLE = ("det/det_mv3_db.yml", "det/det_r50_vd_db.yml", "det/det_res18_db_v2.0.yml")
LATER = "PP-OCRv6"
NOT_THE_NETWORK = ("algorithm", "Transform", "pretrained", "freeze_params", "return_all_feats")
SPREAD = 0.005  # an output whose standard deviation is below would hide errors
DET_LOSS = {
    "name": "DBLoss",
    "balance_loss": True,
    "main_loss_type": "DiceLoss",
    "alpha": 5,
    "beta": 10,
    "ohem_ratio": 3,
}


def configs(checkout: Path) -> list[Path]:
    """The files of the PP-OCR families and of the ICDAR 2015 baselines; those with several networks come last."""
    root = checkout / "configs"
    found = {path for folder in FOLDERS for path in root.glob(f"{folder}/**/*.y*ml")}
    found |= {root / name for name in SINGLE if (root / name).exists()}
    return sorted(found, key=lambda path: (is_distillation(path), path))


def is_distillation(path: Path) -> bool:
    return "Models" in yaml.safe_load(path.read_text(encoding="utf-8"))["Architecture"]


def networks(path: Path) -> Iterator[tuple[str, dict, dict]]:
    """(name, Architecture, Loss) of every network in a file."""
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    architecture, loss = raw["Architecture"], raw["Loss"]
    if "Models" not in architecture:
        yield path.stem, without(architecture), loss
        return
    for name, network in architecture["Models"].items():
        yield f"{path.stem}.{name}", without(network), plain_loss(network)


def without(architecture: dict) -> dict:
    """The keys that decide what the network is."""
    kept = {key: value for key, value in architecture.items() if key not in NOT_THE_NETWORK}
    kept["Backbone"] = {key: value for key, value in kept["Backbone"].items() if key != "pretrained"}
    return kept


def plain_loss(network: dict) -> dict:
    """The loss that trains one network of a distillation alone."""
    if network["model_type"] == "det":
        return DET_LOSS
    if network["Head"]["name"] != "MultiHead":
        return {"name": "CTCLoss"}
    guides = {"SARHead": "SARLoss", "NRTRHead": "NRTRLoss", "CTCHead": "CTCLoss"}
    return {
        "name": "MultiLoss",
        "loss_config_list": [{guides[name]: None} for head in network["Head"]["head_list"] for name in head],
    }


def image_shape(architecture: dict) -> list[int]:
    """A small input: detection in multiples of 32; recognition as high as the configs have it.

    Two images, or one where it must be 320 wide: SVTRNet's positions demand it, and the backbones of v4 to v6 squeeze
    any other width into 40 columns in training, which ocrtune does not.
    """
    if architecture["model_type"] == "det":
        return [2, 3, 64, 96]
    if architecture["Head"]["name"] != "MultiHead":
        return [2, 3, 32, 104]
    return [2, 3, 48, 96] if architecture["Backbone"]["name"] == "MobileNetV1Enhance" else [1, 3, 48, 320]


def collect(checkout: Path, later: bool) -> tuple[dict[str, tuple[dict, dict]], dict[str, list[str]]]:
    """The distinct architectures by the name of the first file, and the names per file."""
    cases: dict[str, tuple[dict, dict]] = {}
    names: dict[str, str] = {}
    files: dict[str, list[str]] = {}
    for path in configs(checkout):
        if (LATER in path.parts) != later:
            continue
        file = path.relative_to(checkout / "configs").as_posix()
        for name, architecture, loss in networks(path):
            key = json.dumps([architecture, loss], sort_keys=True)
            if key not in names:
                names[key], cases[name] = name, (architecture, loss)
            files.setdefault(file, []).append(names[key])
    return cases, files


def build(architecture: dict, loss: dict) -> tuple[Any, Any]:
    """Network and loss with CLASSES classes, as tools/train.py sets them up."""
    import paddle
    from ppocr.losses import build_loss
    from ppocr.modeling.architectures.base_model import BaseModel

    paddle.set_default_dtype("float32")  # some layers ask for it, whatever the default is
    architecture, loss = copy.deepcopy(architecture), copy.deepcopy(loss)
    head, backbone = architecture["Head"], architecture["Backbone"]
    if backbone.get("last_stage") is False and backbone["out_channels"] != backbone["embed_dim"][-1]:
        backbone["last_stage"] = True  # the teacher of v4's recognition distillation: as its file has it, it cannot run
    if head["name"] == "MultiHead":
        more = {"SARLabelDecode": inputs.CLASSES + 2, "NRTRLabelDecode": inputs.CLASSES + 3}
        head["out_channels_list"] = {"CTCLabelDecode": inputs.CLASSES, **more}
    elif architecture["model_type"] == "rec":
        head["out_channels"] = inputs.CLASSES
    for part in loss.get("loss_config_list", []):
        for name, options in part.items():
            if name == "SARLoss":
                part[name] = {**(options or {}), "ignore_index": inputs.CLASSES + 1}
            if name == "CenterLoss":
                options["num_classes"] = inputs.CLASSES
    module = build_loss(loss)
    for part in module.loss_func if loss["name"] == "CombinedLoss" else ():
        if hasattr(part, "centers"):
            part.centers = tensor(inputs.centers(tuple(part.centers.shape)))
    network = BaseModel(architecture)
    to_float64(network)
    paddle.set_default_dtype("float64")
    return network, module


def to_float64(network: Any) -> None:
    """Every parameter and buffer of floating point, in place; ``Layer.to`` fails on what an LSTM keeps for dropout."""
    import paddle

    for layer in network.sublayers(include_self=True):
        for value in (*layer._parameters.values(), *layer._buffers.values()):
            if value is not None and value.dtype == paddle.float32:
                double = value.cast("float64")
                here, there = value.value().get_tensor(), double.value().get_tensor()
                here._share_data_with(there)
        layer._dtype = "float64"


def tensor(array: np.ndarray) -> Any:
    import paddle

    return paddle.to_tensor(array)


def without_dropout(network: Any) -> None:
    """Probability zero everywhere, also inside recurrent layers and for whole branches."""
    for layer in network.sublayers(include_self=True):
        for attribute in ("p", "drop_prob", "dropout", "attn_drop_p"):
            if isinstance(getattr(layer, attribute, None), float):
                setattr(layer, attribute, 0.0)


def fill(network: Any) -> tuple[dict[str, list[int]], dict[str, tuple[float, str]]]:
    """Give ``network`` the seeded weights; the shapes by ocrtune's names."""
    shapes = {}
    for name, value in network.state_dict().items():
        ours = from_paddle(name)
        if ours.endswith(".pe"):
            continue
        value.set_value(alive(ours, tuple(value.shape)).astype(np.float64))
        shapes[ours] = list(value.shape)
    return shapes


def scale_statistics(network: Any, image: Any) -> dict[str, float]:
    """Set every BatchNorm's running statistics to the scale of its input, from the first layer to the last."""
    import paddle

    scales: dict[str, float] = {}

    def before(name: str, layer: Any) -> Any:
        def hook(_: Any, given: tuple) -> None:
            if name not in scales:
                scales[name] = float(np.float32(given[0].var().item() or 1.0))
                for kind, paddles in (("running_mean", layer._mean), ("running_var", layer._variance)):
                    full = f"{name}.{kind}"
                    values = alive(full, tuple(paddles.shape)).astype(np.float64)
                    paddles.set_value(inputs.with_scale(full, values, scales))

        return hook

    norms = {name: layer for name, layer in network.named_sublayers() if hasattr(layer, "_variance")}
    hooks = [layer.register_forward_pre_hook(before(name, layer)) for name, layer in norms.items()]
    network.eval()
    with paddle.no_grad():
        network(image)
    for hook in hooks:
        hook.remove()
    return scales


def batch(architecture: dict, loss: dict, shape: list[int]) -> list[Any]:
    """[image, labels...] in the order in which the losses expect them."""
    if architecture["model_type"] == "det":
        targets = inputs.det_targets(shape)
        return [None, *(tensor(targets[k]) for k in ("threshold_map", "threshold_mask", "shrink_map", "shrink_mask"))]
    targets = inputs.rec_targets(shape)
    if architecture["Head"]["name"] != "MultiHead":
        return [None, tensor(targets["ctc"]), tensor(targets["length"])]
    guide = "sar" if any("SARLoss" in part for part in loss["loss_config_list"]) else "nrtr"
    return [None, *(tensor(targets[k]) for k in ("ctc", guide, "length", "valid_ratio"))]


def run(architecture: dict, loss: dict) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The numbers of one architecture, and its line of the index."""
    import paddle

    paddle.seed(0)
    shape = image_shape(architecture)
    network, criterion = build(architecture, loss)
    without_dropout(network)
    shapes = fill(network)
    image, labels = tensor(inputs.image(shape)), batch(architecture, loss, shape)
    scales = scale_statistics(network, image)
    with paddle.no_grad():
        found = network(image)
    output = (found["maps"] if isinstance(found, dict) else found).numpy()
    network.train()
    losses = criterion(network(image, labels[1:]), labels)
    losses["loss"].backward()
    gradients, count = {}, 0
    for name, parameter in network.named_parameters():
        if not parameter.stop_gradient:
            count += int(np.prod(parameter.shape))
            gradient = parameter.grad.numpy() if parameter.grad is not None else np.zeros(parameter.shape)
            gradients[from_paddle(name)] = inputs.digest(from_paddle(name), gradient)
    spread = inputs.spread(output if architecture["model_type"] == "det" else np.log(output))
    assert spread["std"] > SPREAD, f"the output hides errors: {spread}"
    table = np.array([gradients[name] for name in sorted(gradients)])
    assert np.isfinite(table).all()
    names = inputs.listed(shapes)
    arrays = {
        "names": np.frombuffer(zlib.compress(names, 9), np.uint8),
        "scales": np.array([scales.get(name, 1.0) for name in sorted(norm_names(shapes))], np.float32),
        "output": inputs.thinned(output).astype(np.float32),
        "loss": np.array(float(losses["loss"])),
        "gradients": table.astype(np.float32),
        "untrained": np.frombuffer(
            zlib.compress("\n".join(sorted(set(shapes) - set(gradients))).encode(), 9), np.uint8
        ),
    }
    index = {"parameters": count, "image": shape, "names": zlib.crc32(names), "spread": spread}
    return arrays, index


def norm_names(shapes: dict[str, Any]) -> set[str]:
    """The layers that have running statistics."""
    return {name.rpartition(".")[0] for name in shapes if name.endswith("running_var")}


def write_index(entries: dict[str, Any], files: dict[str, list[str]]) -> None:
    old = json.loads(INDEX.read_text()) if INDEX.exists() else {"architectures": {}, "files": {}}
    merged = {
        part: dict(sorted({**old[part], **new}.items())) for part, new in (("architectures", entries), ("files", files))
    }
    INDEX.write_text(json.dumps(merged, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paddleocr", type=Path, help="checkout at 79f652f5")
    parser.add_argument("--later", type=Path, help="checkout of 3.7 or later, for PP-OCRv6")
    parser.add_argument("--only", nargs="+", default=[""], help="parts of the architectures' names")
    parser.add_argument("--is-later", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    GOLDEN.mkdir(parents=True, exist_ok=True)
    import paddle

    sys.path.insert(0, str(arguments.paddleocr))
    paddle.set_device("cpu")
    cases, files = collect(arguments.paddleocr, arguments.is_later)
    write_index({}, files)
    for name, (architecture, loss) in cases.items():
        if any(part in name for part in arguments.only):
            arrays, index = run(architecture, loss)
            np.savez_compressed(GOLDEN / f"{name}.npz", **arrays)
            write_index({name: index}, {})
            print(f"{name}: {index['parameters']} parameters, output {index['spread']}", flush=True)
    if arguments.later:  # another checkout of the same package: another process
        command = [sys.executable, __file__, arguments.later, "--is-later", "--only", *arguments.only]
        subprocess.run(list(map(str, command)), check=True)


if __name__ == "__main__":
    main()
