"""Folded weights back in the network that trains: what PaddleOCR, which knows no folded network, can load.

Folding cannot be undone (the statistics are gone), but a training network with the same eval function can be written
down: the folded convolution followed by a BatchNorm of mean 0 and variance 1, and, where branches were merged, the
whole in the main branch with the scales of the others at 0, from where training raises them.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from ocrtune.core.errors import Problem, WeightsError
from ocrtune.models.fold import fold_

_TOLERANCE = 1e-3  # of the outputs' largest value; folding itself rounds


@torch.no_grad()
def unfolded(model: nn.Module, fresh: nn.Module) -> nn.Module:
    """Fill ``fresh``, the same network as built from its config, so that it computes what ``model`` does.

    WeightsError when some layer has no counterpart.
    """
    source = fold_(copy.deepcopy(model), "folded")
    done: set[str] = set()
    for path, module in fresh.named_modules():
        if hasattr(module, "merge_branches_"):
            _split_(module, source.get_submodule(path))
            done.update(f"{path}.{name}" for name in _inside(module))
    for path, module in fresh.named_modules():
        for convolution_name, norm_name in getattr(module, "norm_pairs", ()):
            names = [f"{path}.{name}" if path else name for name in (convolution_name, norm_name)]
            if f"{names[0]}.weight" in done or getattr(module, convolution_name.partition(".")[0], None) is None:
                continue
            done.update(_set_pair_(fresh, source, *names))
    rest = {name: value for name, value in source.state_dict().items() if name not in done}
    own = {name: value for name, value in fresh.state_dict().items() if name not in done}
    wrong = [
        name for name in {*rest, *own} if name not in rest or name not in own or rest[name].shape != own[name].shape
    ]
    wrong = [name for name in wrong if not name.endswith("num_batches_tracked")]
    if wrong:
        raise WeightsError(Problem(wrong[0], f"{len(wrong)} tensors have no counterpart in the network that trains"))
    fresh.load_state_dict(rest, strict=False)
    return fresh.train(model.training)


def check_same(a: nn.Module, b: nn.Module, height: int) -> None:
    """WeightsError unless both networks answer alike to one random image of ``height``, in eval mode."""
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(1, 3, height, 2 * height, generator=generator)
    answers = []
    for model in (a, b):
        with torch.no_grad():
            answers.append(copy.deepcopy(model).eval()(image))
    for name, expected in answers[0].items():
        difference = (answers[1][name] - expected).abs().max()
        if not difference <= _TOLERANCE * expected.abs().max():
            what = f"the written network answers otherwise: {name} differs by {difference:.1e}"
            raise WeightsError(Problem("converted weights", what, "this is a mistake in ocrtune: please report it"))


def _split_(module: Any, source: Any) -> None:
    """Give the branches of ``module`` the function of its merged counterpart ``source``."""
    merged_name, norm_name = module.norm_pairs[0]
    merged = source.get_submodule(merged_name)
    trial = _merged(module)
    outer = module.get_submodule(norm_name) if isinstance(getattr(trial, norm_name), nn.BatchNorm2d) else None
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            _set_norm_(norm, 1.0 if norm is outer else 0.0)
    convolution, norm = _main_branch(module, merged.weight.shape, outer)
    _set_norm_(norm, 1.0)
    convolution.weight.zero_()
    others = _merged(module).get_submodule(merged_name)  # what the remaining branches give: an identity, for example
    convolution.weight.copy_(merged.weight.double() - others.weight.double())
    norm.bias.copy_(merged.bias.double() - (0.0 if others.bias is None else others.bias.double()))


def _merged(module: Any) -> Any:
    trial = copy.deepcopy(module)
    trial.merge_branches_()
    return trial


def _main_branch(module: nn.Module, shape: torch.Size, outer: nn.Module | None) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    for owner in module.modules():
        for names in getattr(owner, "norm_pairs", ()):
            if any(getattr(owner, name.partition(".")[0], None) is None for name in names):
                continue
            convolution, norm = (owner.get_submodule(name) for name in names)
            if not isinstance(norm, nn.BatchNorm2d) or norm is outer:
                continue
            if isinstance(convolution, nn.Conv2d) and convolution.weight.shape == shape:
                return convolution, norm
    raise WeightsError(Problem(type(module).__name__, f"no branch has the shape {tuple(shape)} of the merged one"))


def _set_pair_(fresh: nn.Module, source: nn.Module, convolution_name: str, norm_name: str) -> set[str]:
    """Weight into the convolution, bias into it or its BatchNorm; the names of ``fresh`` that are set."""
    target: Any = fresh.get_submodule(convolution_name)
    folded: Any = source.get_submodule(convolution_name)
    norm: Any = fresh.get_submodule(norm_name)
    names = {f"{convolution_name}.{name}" for name, _ in folded.named_parameters()}
    if not isinstance(norm, nn.BatchNorm2d):
        return set()
    target.weight.copy_(folded.weight)
    _set_norm_(norm, 1.0)
    (norm if target.bias is None else target).bias.copy_(folded.bias)
    return names | {f"{norm_name}.{name}" for name in norm.state_dict()}


def _set_norm_(norm: nn.BatchNorm2d, scale: float) -> None:
    """Multiply by ``scale`` exactly in eval mode, with mean 0 and variance 1."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    norm.running_mean.zero_()
    norm.running_var.fill_(1.0)
    norm.weight.fill_(scale * (1.0 + norm.eps) ** 0.5)
    norm.bias.zero_()


def _inside(module: Any) -> set[str]:
    """Names, in a network that trains and in a folded one, of what the branches hold; affine layers stay apart."""
    names: set[str] = set()
    for path, part in module.named_modules():
        if isinstance(part, (nn.Conv2d, nn.BatchNorm2d)):
            names.update(f"{path}.{name}" for name in part.state_dict())
    merged_name = module.norm_pairs[0][0]
    return names | {f"{merged_name}.weight", f"{merged_name}.bias"}
