"""Fill a model from an inference file, whose tensor names mean nothing: layer by layer in order of execution.

Both sides are lists of layers in the order they run. Kinds, shapes and strides must agree at every step, so a file of
another architecture is found at its first differing layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from ocrtune.weights.dictionary import Dictionaries
from ocrtune.weights.layers import Layer, LayerWeights
from ocrtune.weights.plan import Plan
from ocrtune.weights.trace import Trace

_KINDS: tuple[tuple[type[nn.Module], str], ...] = (
    (nn.ConvTranspose2d, "conv_transpose"),
    (nn.Conv2d, "conv"),
    (nn.Linear, "linear"),
    (nn.BatchNorm2d, "batch_norm"),
    (nn.LayerNorm, "layer_norm"),
    (nn.LSTM, "lstm"),
)


@dataclass(frozen=True)
class Mismatch:
    """The first place where the file and the model differ; both described in words, for the message."""

    step: int
    in_file: str
    in_model: str


def batch_norms(traced: Trace) -> int:
    """How many BatchNorm layers the model runs."""
    return sum(isinstance(module, nn.BatchNorm2d) for _, module in traced.calls)


def plan_by_order(traced: Trace, weights: LayerWeights, dictionaries: Dictionaries) -> tuple[Plan, Mismatch | None]:
    """Pair the layers of both sides; the plan holds what was paired before the mismatch, if there is one.

    A BatchNorm of the file behind a convolution whose counterpart has none (a folded model) is folded into its weight.
    """
    plan = Plan()
    calls, layers = list(traced.calls), list(weights.layers)
    step = position = 0
    while step < len(calls):
        name, module = calls[step]
        if _kind(module) != "affine":  # arithmetic that looks like a learnt scale
            position = _skipped(layers, position)
        needed = module.num_layers if isinstance(module, nn.LSTM) else 1
        group = layers[position : position + needed]
        reason = _refusal(module, group, name == traced.classifier)
        if reason is not None:
            found = group[0].describe() if group else "no further layer"
            return plan, Mismatch(step + 1, found, f"{name} ({_describe(module)}){reason}")
        position += needed
        values, how = _values(module, group), None
        if position < len(layers) and layers[position].kind == "batch_norm" and _takes_norm(module, calls, step):
            values, how = (
                _folded(values, layers[position], isinstance(module, nn.ConvTranspose2d)),
                "BatchNorm folded in",
            )
            position += 1
        _place(plan, name, module, values, how, dictionaries if name == traced.classifier else None)
        step += 1
    position = _skipped(layers, position)
    if position < len(layers):
        return plan, Mismatch(step + 1, layers[position].describe(), "no further layer")
    plan.unexpected.extend(f"{name} {shape}" for name, shape in weights.leftover.items())
    return plan, None


def _kind(module: nn.Module) -> str | None:
    found = next((kind for cls, kind in _KINDS if isinstance(module, cls)), None)
    parameters = {name: value.numel() for name, value in module.named_parameters(recurse=False)}
    return "affine" if found is None and parameters == {"scale": 1, "bias": 1} else found


def _skipped(layers: list[Layer], position: int) -> int:
    while position < len(layers) and layers[position].kind == "affine":
        position += 1
    return position


def _refusal(module: nn.Module, group: list[Layer], classifier: bool) -> str | None:
    """Why these file layers cannot fill ``module``: an addition to the message; None when they can."""
    kind = _kind(module)
    if kind is None:
        return ", a kind of layer that inference files do not have"
    if not group or any(layer.kind != kind for layer in group):
        return ""
    needed = _parameters(module)
    for name, value in _values(module, group).items():
        if name not in needed:
            return f", which has no {name}"
        shape = needed.pop(name)
        if shape != value.shape and not (classifier and shape[1:] == value.shape[1:]):
            return f", {name} {shape} instead of {value.shape}"
    if [name for name in needed if name != "bias"] or ("bias" in needed and kind not in ("conv", "conv_transpose")):
        return f", with {', '.join(needed)} that the file lacks"
    return _other_numbers(module, group[0].numbers)


def _other_numbers(module: nn.Module, numbers: Mapping[str, float]) -> str | None:
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        stride = (numbers["stride_h"], numbers["stride_w"])
        return None if tuple(module.stride) == stride else f", stride {tuple(module.stride)} instead of {stride}"
    if isinstance(module, (nn.BatchNorm2d, nn.LayerNorm)) and not np.isclose(module.eps, numbers["epsilon"], rtol=1e-3):
        return f", epsilon {module.eps:g} instead of {numbers['epsilon']:g}"
    return None


def _parameters(module: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in module.state_dict().items() if name != "num_batches_tracked"}


def _values(module: nn.Module, group: list[Layer]) -> dict[str, NDArray[Any]]:
    if isinstance(module, nn.LSTM):  # one file layer per torch layer: rename _l0 to its number
        return {
            name.replace("_l0", f"_l{number}"): value
            for number, layer in enumerate(group)
            for name, value in layer.tensors.items()
        }
    return dict(group[0].tensors)


def _takes_norm(module: nn.Module, calls: list[tuple[str, nn.Module]], step: int) -> bool:
    """Whether this convolution has a bias and no BatchNorm of its own behind it."""
    follower = calls[step + 1][1] if step + 1 < len(calls) else None
    is_convolution = isinstance(module, (nn.Conv2d, nn.ConvTranspose2d))
    return is_convolution and module.bias is not None and not isinstance(follower, nn.BatchNorm2d)


def _folded(values: Mapping[str, NDArray[Any]], norm: Layer, transposed: bool) -> dict[str, NDArray[Any]]:
    """Weight and bias of the convolution that equals ``norm(convolution(x))``; computed in float64."""
    tensors = {name: value.astype(np.float64) for name, value in norm.tensors.items()}
    scale = tensors["weight"] / np.sqrt(tensors["running_var"] + norm.numbers["epsilon"])
    side = (1, -1, 1, 1) if transposed else (-1, 1, 1, 1)
    bias = (values.get("bias", 0.0) - tensors["running_mean"]) * scale + tensors["bias"]
    weight = values["weight"].astype(np.float64) * scale.reshape(side)
    return {"weight": weight.astype(np.float32), "bias": bias.astype(np.float32)}


def _place(
    plan: Plan,
    name: str,
    module: nn.Module,
    values: dict[str, NDArray[Any]],
    how: str | None,
    dictionaries: Dictionaries | None,
) -> None:
    shapes = _parameters(module)
    if "bias" in shapes and "bias" not in values:
        plan.put(f"{name}.bias", np.zeros(shapes["bias"], np.float32), "bias set to 0 (the file's layer has none)")
    for key, value in values.items():
        if dictionaries is not None:
            value, how = dictionaries.rows(value, shapes[key])
        plan.put(f"{name}.{key}", value, how)


def _describe(module: nn.Module) -> str:
    weight = getattr(module, "weight", None)
    shape = f" {tuple(weight.shape)}" if weight is not None and hasattr(weight, "shape") else ""
    return f"{type(module).__name__}{shape}"
