"""Fill a PyTorch model from released weights, a PaddleOCR checkpoint, an inference model or one of our own files."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from ocrtune.core.charset import Charset
from ocrtune.core.errors import Problem, WeightsError
from ocrtune.models.fold import FORMS, Form, fold_, form_of, to_form_
from ocrtune.weights.by_name import choose_prefix, plan_by_name, torch_names
from ocrtune.weights.by_order import Mismatch, batch_norms, plan_by_order
from ocrtune.weights.dictionary import Dictionaries, OnMismatch, check_class_count
from ocrtune.weights.layers import LayerWeights
from ocrtune.weights.plan import Plan
from ocrtune.weights.report import LoadReport
from ocrtune.weights.source import NamedTensors, Source, open_source
from ocrtune.weights.trace import Trace, trace

_COMPUTED = ("num_batches_tracked", "positional_encoding.pe")  # in files, but no network's own to load
_BRANCHES = (
    ("aux", "auxiliary heads"),
    ("thresh", "DB threshold branch"),
    ("gtc", "guidance head"),
    ("sar_head", "guidance head"),
    ("nrtr", "guidance head"),
)


def load_weights(
    model: nn.Module,
    source: str | Path,
    *,
    charset: Charset | None = None,
    allow_partial: bool = False,
    on_mismatch: OnMismatch = "fail",
    source_charset: Charset | None = None,
    prefix: str | None = None,
) -> LoadReport:
    """Fill ``model`` in place and say what was done. Build the optimiser afterwards: folding replaces parameters.

    source: a catalogue name (``PP-OCRv6_small_rec``), a fetched checkpoint, a file (.pdparams, .safetensors, .onnx) or
        a Paddle inference model (its folder or any of its files).
    charset: the model's dictionary (recognition), compared with the file's where the file carries one.
    allow_partial: take what fits and list the rest, instead of raising. An ONNX file is then used up to its first
        differing layer.
    on_mismatch: when the dictionaries differ, ``"fail"``; or ``"exact"`` or ``"union"`` to carry the classes over by
        character, see :mod:`ocrtune.weights.dictionary`.
    source_charset: the dictionary of the weights, for files that do not carry it; one inside the file wins.
    prefix: what the names of this network begin with in a file of several, such as ``Teacher.``; None finds it.

    A file whose branches are merged (PP-OCRv4 and v5) or whose BatchNorms are folded (PP-OCRv6), or one of ours that
    was saved so, first brings the model to the same form (``models.fold``); the report says so.
    Inference files lack what only training uses (DB's threshold branch, auxiliary and guidance heads): those keep the
    initial values that the model was built with, and are listed as training-only.
    Raises WeightsError, and then leaves the model unchanged.
    """
    opened = open_source(source)
    dictionaries = Dictionaries(opened.label, opened.charset or source_charset, charset, on_mismatch)
    draft = copy.deepcopy(model)
    form = form_of(model)
    plan, traced = _rehearsed(draft, opened.content, dictionaries, allow_partial, prefix)
    if form_of(draft) != form:
        plan.notes.insert(0, f"the model was brought to the '{form_of(draft)}' form of the file (see models.fold)")
    report = _report(opened.label, draft, traced, plan)
    if (report.missing and not allow_partial) or not plan.values:
        raise WeightsError(_incomplete(report))
    check_class_count(traced.classes, charset, "the model to fill")
    to_form_(model, form_of(draft))
    model.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in plan.values.items()}, strict=False)
    return report


def rehearse(draft: nn.Module, source: Source, prefix: str | None = None) -> LoadReport:
    """What loading would report; ``draft`` takes the form of the file but no value, so it may be on PyTorch's meta
    device. Dictionaries are not compared. WeightsError when nothing fits, or an inference file is another network's.
    """
    by_order = isinstance(source.content, LayerWeights)
    plan, traced = _rehearsed(draft, source.content, Dictionaries(source.label, None, None), not by_order, prefix)
    return _report(source.label, draft, traced, plan)


def _rehearsed(
    draft: nn.Module,
    content: NamedTensors | LayerWeights,
    dictionaries: Dictionaries,
    allow_partial: bool,
    prefix: str | None,
) -> tuple[Plan, Trace]:
    if isinstance(content, LayerWeights):
        return _from_layers(draft, content, dictionaries, allow_partial)
    return _from_names(draft, _only(content, prefix), dictionaries, allow_partial)


def _from_layers(
    draft: nn.Module, weights: LayerWeights, dictionaries: Dictionaries, allow_partial: bool
) -> tuple[Plan, Trace]:
    traced = trace(draft)
    in_file = sum(layer.kind == "batch_norm" for layer in weights.layers)
    forms: tuple[Literal["merged", "release", "folded"], ...] = ("merged", "release", "folded")
    for form in forms if form_of(draft) == "training" else forms[2:]:
        if in_file < batch_norms(traced):
            fold_(draft, form)
            traced = trace(draft)
    plan, mismatch = plan_by_order(traced, weights, dictionaries)
    if mismatch is not None:
        if not allow_partial:
            raise WeightsError(_other_architecture(dictionaries.where, mismatch, weights, traced))
        plan.notes.append(f"partial: stopped at step {mismatch.step}, {mismatch.in_file} against {mismatch.in_model}")
    return plan, traced


def _from_names(
    draft: nn.Module, named: NamedTensors, dictionaries: Dictionaries, allow_partial: bool
) -> tuple[Plan, Trace]:
    tensors = {k: v for k, v in torch_names(named.tensors).items() if not k.endswith(_COMPUTED)}
    if named.layout == "torch":
        to_form_(draft, _form_fitting(draft, named))
    traced = trace(draft)
    prefix, note = choose_prefix(tensors, {k: v.numel() for k, v in draft.named_parameters()}, dictionaries.where)
    plan, problems = plan_by_name(draft, traced, tensors, prefix, named.layout == "paddle", dictionaries)
    if problems and not allow_partial:
        raise WeightsError(problems)
    plan.notes[:0] = [note] if note else []
    plan.notes += [f"not taken: {problem}" for problem in problems]
    return plan, traced


def _only(named: NamedTensors, prefix: str | None) -> NamedTensors:
    """The tensors of one network of several, under their own names; all of them where ``prefix`` is None."""
    if prefix is None:
        return named
    tensors = {name.removeprefix(prefix): value for name, value in named.tensors.items() if name.startswith(prefix)}
    return replace(named, tensors=tensors)


def _form_fitting(model: nn.Module, named: NamedTensors) -> Form:
    """The form that the file says it is in, or the first whose parameters it has; else the model's own."""
    own = form_of(model)
    if own != "training":
        return own
    if (stated := next((form for form in FORMS if form == named.form), None)) is not None:
        return stated
    for form in FORMS:
        candidate = to_form_(copy.deepcopy(model), form)
        if all(name in named.tensors for name, _ in candidate.named_parameters()):
            return form
    return own


def _report(label: str, model: nn.Module, traced: Trace, plan: Plan) -> LoadReport:
    """``model``: in the form that will be filled."""
    parameters = {name: value.numel() for name, value in model.named_parameters()}
    state = [name for name in model.state_dict() if not name.endswith("num_batches_tracked")]
    buffers = [name for name in state if name not in parameters]
    absent = [name for name in (*parameters, *buffers) if name not in plan.values]
    missing = tuple(name for name in absent if traced.uses(name))
    filled = sum(size for name, size in parameters.items() if name in plan.values)
    return LoadReport(
        source=label,
        loaded=tuple(name for name in plan.values if name not in plan.adapted),
        adapted=dict(plan.adapted),
        missing=missing,
        training_only=_branches([name for name in absent if not traced.uses(name)], [*parameters, *buffers]),
        unexpected=tuple(plan.unexpected),
        filled=filled,
        wanted=filled + sum(parameters.get(name, 0) for name in missing),
        notes=tuple(plan.notes),
    )


def _branches(absent: list[str], everything: list[str]) -> dict[str, str]:
    """Tensors that inference never uses, grouped by the largest module that holds nothing else -> what it is."""
    kept = [name for name in everything if name not in set(absent)]
    found: dict[str, str] = {}
    for name in absent:
        parts = name.split(".")
        prefixes = (".".join(parts[:n]) for n in range(1, len(parts)))
        module = next((p for p in prefixes if not any(k.startswith(p + ".") for k in kept)), name)
        found[module] = next((what for word, what in _BRANCHES if word in module.lower()), "no part of inference")
    return found


def _other_architecture(where: str, mismatch: Mismatch, weights: LayerWeights, traced: Trace) -> Problem:
    what = (
        f"the weights of another architecture: at step {mismatch.step} the file has {mismatch.in_file}, "
        f"the model {mismatch.in_model}. The file: {weights.summary()}. The model: {traced.summary()}"
    )
    return Problem(where, what, "give the Architecture section that belongs to these weights")


def _incomplete(report: LoadReport) -> Problem:
    names = ", ".join(report.missing[:5])
    what = f"lacks {len(report.missing)} of the model's tensors ({100 * report.share:.1f} % filled), such as {names}"
    fix = "check the Architecture section, or allow a partial load to keep what fits"
    return Problem(report.source, what, fix)
