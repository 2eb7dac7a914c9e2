"""Folding BatchNorm and parallel branches into single convolutions, and putting BatchNorm back.

A model is in one of five forms (``form_of``); only the first is built from a config:

``training``  as PaddleOCR trains: BatchNorm behind convolutions, parallel branches.
``merged``    as PaddleOCR's published PP-OCRv4 and v5 inference files: branches merged, every other BatchNorm kept.
``release``   as PaddleOCR's published PP-OCRv6 inference files: branches merged and BatchNorm folded except where
              those files keep it (recognition necks) and in heads that the files do not hold.
``folded``    every BatchNorm folded, for export.
``restored``  branches merged, a BatchNorm behind every convolution that had one: normalisation for fine-tuning.

A component takes part by class attributes: ``norm_pairs``, the (convolution, BatchNorm) submodule names of which the
second is applied directly to the first's output; ``folds_in_release``; and ``merge_branches_()`` where it has branches.
A folded BatchNorm leaves an ``nn.Identity`` behind, so the module path of every convolution stays the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ocrtune.models.fusion import Convolution, Norm, fused, set_weight_and_bias_
from ocrtune.models.statistics import moments_of_outputs

Form = Literal["training", "merged", "release", "folded", "restored"]
FORMS: tuple[Form, ...] = ("training", "merged", "release", "folded", "restored")


def form_of(model: nn.Module) -> Form:
    """The form ``model`` is in, as this module's functions left it."""
    return getattr(model, "form", "training")


@torch.no_grad()
def fold_(model: nn.Module, form: Literal["merged", "release", "folded"] = "folded") -> nn.Module:
    """Fold in place, exactly (computed in float64); returns ``model``. The eval function stays the same.

    Works from any form; ``folded`` folds everything, ``release`` what PaddleOCR's PP-OCRv6 inference files fold,
    ``merged`` only merges branches.
    Raises ValueError when asked to make ``release`` or ``merged`` of a model that is folded further.
    """
    if form != "folded" and FORMS.index(form_of(model)) > FORMS.index(form):
        raise ValueError(f"a {form_of(model)} model cannot become a {form} model")
    for module in list(model.modules()) if form == "merged" else _to_fold(model, form):
        if merge := getattr(module, "merge_branches_", None):
            merge()
    for module in _to_fold(model, form):  # listed anew: merging removes modules
        for pair in _pairs(module):
            _fold_pair_(pair)
    return _marked(model, form)


@torch.no_grad()
def restore_batchnorm_(model: nn.Module, images: Iterable[Tensor] | None) -> nn.Module:
    """Put a BatchNorm behind every convolution that had one, in place; the eval function stays the same.

    The running statistics are those of the convolutions' outputs over ``images``, batches (N, 3, H, W) preprocessed
    as in training; weight and bias undo them (weight = standard deviation, bias = mean), so at step 0 the
    BatchNorm is an identity in eval mode and nearly one in train mode. A channel's statistics are those
    of the batches given: a few hundred images are plenty. BatchNorms that were never folded are left as they are.

    images: None gives mean 0 and variance 1, for a model whose state is loaded right afterwards.
    Raises ValueError when the model is in training form, or when ``images`` is empty or not finite.
    """
    if form_of(model) == "training":
        raise ValueError("restore_batchnorm_ is for folded models; a training model has its BatchNorm")
    pairs = [pair for module in model.modules() for pair in _pairs(module) if isinstance(pair.norm, nn.Identity)]
    statistics = {} if images is None else moments_of_outputs(model, {pair.convolution for pair in pairs}, images)
    for pair in pairs:
        convolution = pair.convolution
        kind = nn.BatchNorm1d if isinstance(convolution, nn.Conv1d) else nn.BatchNorm2d
        norm = kind(convolution.out_channels).to(convolution.weight)
        mean, variance = torch.zeros_like(norm.bias), torch.ones_like(norm.bias)
        if convolution in statistics:  # not so in heads that only training uses: they keep their fresh scale
            mean, variance = statistics[convolution].mean_and_variance()
        _set_identity_(norm, mean, variance)
        _drop_added_bias_(convolution, norm)
        pair.set_norm(norm)
    return _marked(model, "restored")


def to_form_(model: nn.Module, form: Form) -> nn.Module:
    """Give a freshly built model the structure of ``form``, so that a checkpoint saved in that form loads."""
    if form == "training" or form == form_of(model):
        return model
    fold_(model, form if form in ("merged", "release") else "folded")
    return restore_batchnorm_(model, None) if form == "restored" else model


def _to_fold(model: nn.Module, form: Form) -> list[nn.Module]:
    if form == "merged":
        return []
    return [module for module in model.modules() if form == "folded" or getattr(module, "folds_in_release", False)]


@dataclass(frozen=True)
class _Pair:
    """A convolution and the module at the place of its BatchNorm."""

    owner: nn.Module
    convolution: Convolution
    norm_name: str

    @property
    def norm(self) -> nn.Module:
        return self.owner.get_submodule(self.norm_name)

    def set_norm(self, norm: nn.Module) -> None:
        norm.train(self.owner.training)
        path, _, name = self.norm_name.rpartition(".")
        setattr(self.owner.get_submodule(path), name, norm)


def _pairs(module: nn.Module) -> Iterator[_Pair]:
    for convolution_name, norm_name in getattr(module, "norm_pairs", ()):
        if getattr(module, convolution_name.partition(".")[0], None) is None:
            continue  # branches not merged yet
        convolution: Any = module.get_submodule(convolution_name)
        yield _Pair(module, convolution, norm_name)


def _fold_pair_(pair: _Pair) -> None:
    norm = pair.norm
    if not isinstance(norm, Norm):
        return
    set_weight_and_bias_(pair.convolution, *fused(pair.convolution, norm))
    pair.set_norm(nn.Identity())


def _set_identity_(norm: Norm, mean: Tensor, variance: Tensor) -> None:
    """Statistics into ``norm``, with the weight and bias that make it an identity in eval mode."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)
    norm.bias.copy_(mean)
    norm.weight.copy_(torch.sqrt(norm.running_var.double() + norm.eps))


def _drop_added_bias_(convolution: Convolution, norm: Norm) -> None:
    """Move the bias that folding gave a convolution into the running mean: BatchNorm would cancel it anyway."""
    if convolution.bias is not None and not isinstance(convolution, nn.ConvTranspose2d):
        assert norm.running_mean is not None
        norm.running_mean.sub_(convolution.bias)
        convolution.bias = None


def _marked(model: nn.Module, form: Form) -> nn.Module:
    model.form = form  # type: ignore[assignment]  # the stubs allow tensors and modules only
    return model
