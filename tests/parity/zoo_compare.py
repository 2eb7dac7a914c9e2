"""One architecture of the zoo against the numbers of real PaddleOCR: what differs, and by how much."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
import zoo_inputs as inputs
from model_weights import alive
from torch import Tensor, nn
from zoo_architectures import ZOO

from ocrtune.config.architecture_schema import Architecture
from ocrtune.config.component import Component
from ocrtune.config.registries import read_components
from ocrtune.core.charset import Charset
from ocrtune.core.options import Findings, parse_options
from ocrtune.losses.build import build_loss
from ocrtune.models.build import build_model
from ocrtune.training.registries import all_registries

GOLDEN = Path(__file__).parent / "golden" / "zoo"
CHARSET = Charset([chr(0x4E00 + i) for i in range(inputs.CLASSES - 1)])
FLOOR = 1e-6  # of the whole gradient's norm: below, a gradient is zero but for rounding (a bias before BatchNorm)


@cache
def index() -> dict[str, Any]:
    """``architectures``: name -> parameters, image, names; ``files``: PaddleOCR's config -> its architectures."""
    return json.loads((GOLDEN.parent / "zoo.json").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Golden:
    """PaddleOCR's numbers of one architecture, in float64."""

    shapes: dict[str, list[int]]
    scales: dict[str, float]
    output: np.ndarray
    loss: float
    gradients: dict[str, np.ndarray]

    @classmethod
    def read(cls, name: str) -> Golden:
        """From golden/zoo/NAME.npz."""
        with np.load(GOLDEN / f"{name}.npz") as stored:
            lines = zlib.decompress(stored["names"].tobytes()).decode().split("\n")
            untrained = set(zlib.decompress(stored["untrained"].tobytes()).decode().split("\n"))
            shapes = {n: [int(s) for s in shape.split("x")] for n, shape in (line.split(" ") for line in lines)}
            norms = sorted(n.rpartition(".")[0] for n in shapes if n.endswith("running_var"))
            trained = sorted(set(shapes) - untrained)
            return cls(
                shapes,
                dict(zip(norms, stored["scales"].tolist(), strict=True)),
                stored["output"],
                float(stored["loss"]),
                dict(zip(trained, stored["gradients"].astype(np.float64), strict=True)),
            )


@dataclass(frozen=True)
class Differences:
    """How ours differs from PaddleOCR's; the last three relative, the gradient's the worst over the parameters."""

    parameters: int
    names: list[str]
    output: float
    loss: float
    gradient: float
    worst: str

    def __str__(self) -> str:
        return f"output {self.output:.1e}, loss {self.loss:.1e}, gradient {self.gradient:.1e} ({self.worst})"


def built(name: str) -> tuple[nn.Module, nn.Module]:
    """Network and loss in float64, dropout off."""
    raw_architecture, raw_loss = ZOO[name]
    findings = Findings()
    raw = read_components({"Architecture": raw_architecture, "Loss": _sized(raw_loss)}, all_registries(), findings)
    architecture = parse_options(Architecture, raw["Architecture"], "Architecture", findings)
    loss = Component.parse(raw["Loss"], "Loss", findings)
    assert not findings.problems, [str(problem) for problem in findings.problems]
    assert architecture is not None
    assert loss is not None
    network = build_model(architecture, CHARSET if architecture.model_type == "rec" else None).double()
    criterion = build_loss(loss)
    for module in network.modules():
        for attribute in ("p", "drop_prob", "dropout"):
            if isinstance(getattr(module, attribute, None), float):
                setattr(module, attribute, 0.0)
    for module in criterion.modules():
        if isinstance(getattr(module, "centers", None), Tensor):
            module.centers = torch.from_numpy(inputs.centers(tuple(module.centers.shape)))
    return network, criterion


def _sized(loss: dict[str, Any]) -> dict[str, Any]:
    """CenterLoss counts the classes of the dictionary, which is a small one here."""
    parts = [
        {key: {**(value or {}), "num_classes": inputs.CLASSES} if key == "CenterLoss" else value}
        for part in loss.get("loss_config_list", [])
        for key, value in part.items()
    ]
    return {**loss, "loss_config_list": parts} if parts else loss


def transposed(network: nn.Module) -> set[str]:
    """Names of the weights that Paddle keeps as (in, out)."""
    return {f"{name}.weight" for name, module in network.named_modules() if isinstance(module, nn.Linear)}


def fill(network: nn.Module, golden: Golden) -> None:
    """The seeded weights, with the golden scale of every BatchNorm."""
    turned = transposed(network)
    for name, value in network.state_dict().items():
        if name in golden.shapes:
            values = inputs.with_scale(name, alive(name, tuple(golden.shapes[name])).astype(np.float64), golden.scales)
            value.copy_(torch.from_numpy(values.T if name in turned else values))


def differing_names(network: nn.Module, golden: Golden) -> list[str]:
    """Names that only one side has, and names with another shape."""
    turned = transposed(network)
    ours = {
        name: list(value.shape)[:: -1 if name in turned else 1]
        for name, value in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    return sorted(name for name in {**ours, **golden.shapes} if ours.get(name) != golden.shapes.get(name))


def compare(name: str) -> Differences:
    """Build, fill, run and compare the architecture ``name``. Outputs are compared only where the names agree."""
    torch.manual_seed(0)
    golden, (network, criterion) = Golden.read(name), built(name)
    parameters = sum(p.numel() for p in network.parameters())
    names = differing_names(network, golden)
    if names:
        return Differences(parameters, names, float("inf"), float("inf"), float("inf"), names[0])
    fill(network, golden)
    image, targets = batch(name)
    with torch.no_grad():
        found = network.eval()(image)
    output = found["shrink"] if "shrink" in found else found["ctc"].softmax(-1)
    with mock.patch.object(Tensor, "float", Tensor.double):  # losses leave half precision by Tensor.float
        loss = learn(network, criterion, image, targets)
    gradient, worst = _gradient_difference(network, golden)
    return Differences(
        parameters,
        names,
        _relative(inputs.thinned(output.numpy()), golden.output),
        abs(loss - golden.loss) / abs(golden.loss),
        gradient,
        worst,
    )


def batch(name: str) -> tuple[Tensor, dict[str, Tensor]]:
    """Images and targets, in float64."""
    shape = index()["architectures"][name]["image"]
    det = ZOO[name][0]["model_type"] == "det"
    arrays = inputs.det_targets(shape) if det else inputs.rec_targets(shape)
    return torch.from_numpy(inputs.image(shape)), {key: torch.from_numpy(value) for key, value in arrays.items()}


def learn(network: nn.Module, criterion: nn.Module, image: Tensor, targets: dict[str, Tensor]) -> float:
    """The loss in train mode; leaves the gradients at the parameters."""
    loss = criterion(network.train()(image, targets), targets)["loss"]
    loss.backward()
    return float(loss.detach())


def _relative(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def _gradient_difference(network: nn.Module, golden: Golden) -> tuple[float, str]:
    """The worst parameter: difference of its digest over its gradient's norm."""
    turned = transposed(network)
    parameters = dict(network.named_parameters())
    assert set(parameters) == set(golden.gradients), sorted(set(parameters) ^ set(golden.gradients))
    whole = float(np.linalg.norm([found[0] for found in golden.gradients.values()]))
    worst = (0.0, "")
    for name, parameter in parameters.items():
        ours = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        found = np.array(inputs.digest(name, (ours.T if name in turned else ours).numpy()))
        theirs = golden.gradients[name]
        worst = max(worst, (float(np.abs(found - theirs).max() / max(theirs[0], FLOOR * whole)), name))
    return worst
