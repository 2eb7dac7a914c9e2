"""A network's state under PaddleOCR's names and in Paddle's layout: what ``.pdparams`` must hold."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from ocrtune.models.heads.nrtr import NRTRDecoder

_LSTM = re.compile(r"\.(weight|bias)_(ih|hh)_l(\d+)(_reverse)?$")


def paddle_state(model: nn.Module) -> dict[str, NDArray[Any]]:
    """Name -> array as PaddleOCR's ``state_dict`` has them: Linear weights (in, out), ``_mean``, ``_variance``.

    Paddle lists LSTM weights under two names (``lstm.0.cell_fw.weight_ih`` and ``lstm.weight_ih_l0``), and NRTR's table
    of positions among the weights; both are written, so that nothing is missing there.
    """
    linear = {f"{name}.weight" for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    lstm = tuple(f"{name}." for name, module in model.named_modules() if isinstance(module, nn.LSTM))
    state: dict[str, NDArray[Any]] = {}
    for name, value in model.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        array = np.ascontiguousarray(_array(value).T if name in linear else _array(value))
        if lstm and name.startswith(lstm) and (found := _LSTM.search(name)) is not None:
            kind, side, layer, reverse = found.groups()
            cell = f"{layer}.{_cell(model, name, bool(reverse))}.{kind}_{side}"
            state[f"{name[: found.start()]}.{cell}"] = array
        state[_renamed(name)] = array
    for name, module in model.named_modules():
        if isinstance(module, NRTRDecoder):
            state[f"{name}.positional_encoding.pe"] = _array(module.positions)[:, None, :]
    return state


def _cell(model: nn.Module, name: str, reverse: bool) -> str:
    lstm: Any = model.get_submodule(name.rpartition(".")[0])
    return f"cell_{'bw' if reverse else 'fw'}" if lstm.bidirectional else "cell"


def _array(value: Any) -> NDArray[Any]:
    array: NDArray[Any] = value.detach().float().cpu().numpy()
    return array


def _renamed(name: str) -> str:
    head, _, last = name.rpartition(".")
    last = {"running_mean": "_mean", "running_var": "_variance"}.get(last, last)
    return f"{head}.{last}" if head else last
