"""Keeping parts of a network as they are."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from torch import nn

from ocrtune.core.errors import ConfigError, Problem, did_you_mean


def freeze_(model: nn.Module, parts: Collection[str]) -> int:
    """Stop learning in ``parts`` (names of submodules or parameters); the number of parameters that stand still.

    ConfigError when a name is not of this model, or when nothing is left to learn.
    """
    names = [name for name, _ in model.named_parameters()]
    known = sorted({".".join(name.split(".")[:depth]) for name in names for depth in (1, 2)})
    for part in parts:
        if not any(_begins(name, part) for name in names):
            raise ConfigError(Problem("Global.freeze", f"no part is called '{part}'", did_you_mean(part, known)))
    for name, parameter in model.named_parameters():
        if any(_begins(name, part) for part in parts):
            parameter.requires_grad_(False)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ConfigError(Problem("Global.freeze", "freezes everything", "leave out the part that is to learn"))
    return sum(value.numel() for value in model.parameters() if not value.requires_grad)


def train_mode_(model: nn.Module) -> None:
    """``model.train()``, except that parts without a parameter that learns stay in eval mode.

    A BatchNorm that does not learn must not drift with the batches either.
    """
    model.train()
    for part in _frozen_parts(model):
        part.eval()


def _frozen_parts(module: nn.Module) -> Iterator[nn.Module]:
    """The largest submodules that have parameters, none of which learns."""
    learns = [parameter.requires_grad for parameter in module.parameters()]
    if not learns or all(learns):
        return
    if not any(learns):
        yield module
        return
    for child in module.children():
        yield from _frozen_parts(child)


def _begins(name: str, part: str) -> bool:
    return name == part or name.startswith(f"{part}.")
