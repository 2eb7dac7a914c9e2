"""Fill a model from named tensors: Paddle's structured names or our own.

Our modules carry PaddleOCR's structured names, so a training checkpoint maps by rule: ``_mean``/``_variance`` are
``running_mean``/``running_var``, Linear weights are (in, out) in Paddle and (out, in) in PyTorch, and an LSTM's
``0.cell_bw.weight_ih`` is ``weight_ih_l0_reverse`` (the gates have the same order; with one direction, ``0.cell``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from ocrtune.core.errors import Problem, WeightsError
from ocrtune.weights.dictionary import Dictionaries, class_rows
from ocrtune.weights.plan import Plan
from ocrtune.weights.prefixes import networks
from ocrtune.weights.trace import Trace

Tensors = Mapping[str, NDArray[Any]]

_PREFIXES = ("Student.", "student_model.", "Student2.", "student2_model.", "Teacher.", "teacher_model.")
_WRAPPERS = ("module.", "_layers.", "model.")
_LSTM_CELL = re.compile(r"\.(\d+)\.cell(?:_(fw|bw))?\.(weight|bias)_(ih|hh)$")


def torch_names(tensors: Tensors) -> dict[str, NDArray[Any]]:
    """Paddle's names as PyTorch's; values unchanged. Names that are PyTorch's already stay."""
    renamed: dict[str, NDArray[Any]] = {}
    for name, value in tensors.items():
        head, _, last = name.rpartition(".")
        if last in ("_mean", "_variance"):
            name = f"{head}.running_{'mean' if last == '_mean' else 'var'}"
        elif (cell := _LSTM_CELL.search(name)) is not None:
            layer, direction, kind, side = cell.groups()
            ending = "_reverse" if direction == "bw" else ""
            name = f"{name[: cell.start()]}.{kind}_{side}_l{layer}{ending}"
        renamed[name] = value
    return renamed


def choose_prefix(tensors: Tensors, sizes: Mapping[str, int], where: str) -> tuple[str, str | None]:
    """(prefix to strip, note) such that most of the model is found; ``sizes``: its tensors and their numbers of values.

    Checkpoints of distillation hold several models. When two fit equally well, the first of Student, Student2, Teacher
    is taken, as PaddleOCR's documents do, and the note says so. WeightsError when no prefix fits anything.
    """
    known = [p for p in (*_PREFIXES, *_WRAPPERS) if any(name.startswith(p) for name in tensors)]
    candidates = list(dict.fromkeys(["", *known, *networks(tensors)]))  # the second finds what nests or is called else
    fits = {
        p: sum(p + name in tensors and tensors[p + name].size == n for name, n in sizes.items()) for p in candidates
    }
    best = max(fits.values())
    if best == 0:
        what = f"no tensor of the file fits the model; the file has {_examples(tensors)}, the model {_examples(sizes)}"
        raise WeightsError(Problem(where, what, "the Architecture section belongs to other weights"))
    equal = [prefix for prefix in candidates if fits[prefix] == best]
    note = None
    if len(equal) > 1:
        note = f"the file holds {len(equal)} models that fit ({', '.join(equal)}): took {equal[0]}"
    elif equal[0]:
        note = f"took the model under '{equal[0]}'"
    return equal[0], note


def plan_by_name(
    model: nn.Module, traced: Trace, tensors: Tensors, prefix: str, paddle: bool, dictionaries: Dictionaries
) -> tuple[Plan, list[Problem]]:
    """Values for ``model`` from ``tensors`` (PyTorch names, still with ``prefix``), and the shapes that do not fit.

    paddle: the tensors are laid out as Paddle's, so weights of Linear layers are transposed.
    """
    plan, problems = Plan(), []
    linear = {name + ".weight" for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    state = {name: value for name, value in model.state_dict().items() if not name.endswith("num_batches_tracked")}
    for full, value in tensors.items():
        name = full.removeprefix(prefix)
        if not full.startswith(prefix) or name not in state:
            plan.unexpected.append(full)
            continue
        value = np.asarray(value.T if paddle and name in linear else value, np.float32)
        shape = tuple(state[name].shape)
        how = None
        layout = class_rows(name.rpartition(".")[0], traced.classifier)
        if layout is not None and value.shape[1:] == shape[1:]:
            value, how = dictionaries.rows(value, shape, layout)
        if value.shape == shape:
            plan.put(name, value, how)
        elif traced.uses(name):
            what = f"has shape {value.shape}, the model's {name} {shape}"
            problems.append(Problem(f"{dictionaries.where}: {full}", what))
        else:
            plan.notes.append(f"{name} is used in training only and has another shape in the file: not taken")
    return plan, problems


def _examples(tensors: Mapping[str, Any]) -> str:
    names = list(tensors)
    return f"{len(names)} tensors such as {', '.join(names[:2])}"
